# The rules of the house as a ctest. They need a Python and universal-ctags
# and look at sources alone, so one preset is enough: dev.

if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" OR SCO_SANITIZE)
  return()
endif()
if(NOT Python_EXECUTABLE)
  find_package(Python 3.10 QUIET COMPONENTS Interpreter)
endif()
find_program(SCO_CTAGS NAMES ctags-universal ctags)
if(Python_EXECUTABLE AND SCO_CTAGS AND EXISTS ${SCO_TEST_DIR}/lint/house.py)
  add_test(NAME lint.house COMMAND ${Python_EXECUTABLE}
                                   ${SCO_TEST_DIR}/lint/house.py)
  set_tests_properties(lint.house PROPERTIES LABELS lint)
endif()
