# The files that see <Python.h>: the extension, and the program that embeds
# CPython where there is a libpython to link with.

find_package(Python 3.10 QUIET COMPONENTS Interpreter Development.Module
             OPTIONAL_COMPONENTS Development.Embed)
if(NOT Python_Development.Module_FOUND)
  if(SCO_PYTHON STREQUAL "on")
    message(FATAL_ERROR "The headers of CPython 3.10 or later are missing. "
                        "On Debian: apt-get install python3-dev")
  endif()
  message(STATUS "CPython's headers are not here: no extension, no program")
  return()
endif()
message(STATUS "CPython ${Python_VERSION}: ${Python_EXECUTABLE}")

sco_sources(pybridge python_sources)
sco_sources(module module_sources)
list(APPEND python_sources ${module_sources})
if(NOT python_sources)
  message(STATUS "pybridge/ and module/ are empty: no extension")
  return()
endif()

add_library(sco_python OBJECT ${python_sources})
sco_flags(sco_python NO_PEDANTIC)
target_link_libraries(sco_python PUBLIC sco_core Python::Module m)

# The extension exports PyInit__core alone: two copies of the core in one
# process (the program and the extension) never see each other's symbols.
Python_add_library(_core MODULE WITH_SOABI)
sco_flags(_core NO_PEDANTIC)
set(exports ${CMAKE_CURRENT_SOURCE_DIR}/cmake/core.map)
target_link_libraries(_core PRIVATE sco_python)
target_link_options(_core PRIVATE -Wl,--version-script=${exports})
set_target_properties(_core PROPERTIES LINK_DEPENDS ${exports})
if(NOT SCO_SANITIZE)
  target_link_options(_core PRIVATE -Wl,--no-undefined-version)
endif()
install(TARGETS _core LIBRARY DESTINATION scorehost COMPONENT python)

sco_sources(main main_sources)
if(NOT main_sources)
  message(STATUS "main/ is empty: no scorehost-host")
elseif(NOT Python_Development.Embed_FOUND)
  message(STATUS "CPython ${Python_VERSION} has no libpython to link with: "
                 "no scorehost-host")
else()
  add_executable(scorehost-host ${main_sources})
  sco_flags(scorehost-host NO_PEDANTIC)
  target_link_libraries(scorehost-host PRIVATE sco_python)
  # A libpython outside the loader's usual folders is found where it was.
  set_target_properties(scorehost-host PROPERTIES INSTALL_RPATH
                                                  "${Python_LIBRARY_DIRS}")
  # Extensions resolve Python's symbols in the program when libpython is a
  # static library; then all of it must be there, used by us or not.
  set_target_properties(scorehost-host PROPERTIES ENABLE_EXPORTS ON)
  get_target_property(kind Python::Python TYPE)
  if(kind STREQUAL "STATIC_LIBRARY"
     OR Python_LIBRARY_RELEASE MATCHES "\\.a$")
    target_link_libraries(
      scorehost-host PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,Python::Python>)
  else()
    target_link_libraries(scorehost-host PRIVATE Python::Python)
  endif()
  if(SKBUILD)
    install(TARGETS scorehost-host RUNTIME DESTINATION ${SKBUILD_SCRIPTS_DIR}
                                           COMPONENT python)
  else()
    install(TARGETS scorehost-host RUNTIME DESTINATION bin COMPONENT python)
  endif()
endif()
