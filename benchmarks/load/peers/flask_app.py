"""Flask as its tutorial writes it, for gunicorn."""

import script
from flask import Flask, Response, jsonify, request

run = script.load().run
app = Flask(__name__)


@app.get("/")
def health() -> str:
    """The probe."""
    return "Healthy"


@app.post("/score")
def score() -> Response:
    """Any load: the body as text, the answer as JSON."""
    return jsonify(run(request.get_data(as_text=True)))
