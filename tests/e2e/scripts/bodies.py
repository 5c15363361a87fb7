"""A script that takes batches of bodies."""

import json

import scorehost


def init():
    pass


@scorehost.batch(max_batch_size=8)
def run(bodies):
    made = [json.loads(body) for body in bodies]
    if any(item == "bad" for item in made):
        raise ValueError("a bad body")
    if any(item == "fewer" for item in made):
        return made[1:]
    return [{"is": item, "of": len(made) > 0} for item in made]
