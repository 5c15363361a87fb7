# The libraries of others: pkg-config says where they are, and where it does
# not (no pkg-config, a prefix of one's own), CMAKE_PREFIX_PATH is searched.

find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)

# Makes outside::<name> from a header and a library. OPTIONAL libraries may
# be missing; then there is no such target.
function(sco_outside name)
  cmake_parse_arguments(arg "OPTIONAL" "MODULE;HEADER;LIBRARY;PACKAGE" ""
                        ${ARGN})
  if(PkgConfig_FOUND)
    pkg_check_modules(pc_${name} QUIET ${arg_MODULE})
  endif()
  find_path(${name}_INCLUDE ${arg_HEADER} HINTS ${pc_${name}_INCLUDEDIR})
  find_library(${name}_LIBRARY ${arg_LIBRARY} HINTS ${pc_${name}_LIBDIR})
  mark_as_advanced(${name}_INCLUDE ${name}_LIBRARY)
  if(NOT ${name}_INCLUDE OR NOT ${name}_LIBRARY)
    if(NOT arg_OPTIONAL)
      message(FATAL_ERROR "<${arg_HEADER}> or lib${arg_LIBRARY} is missing. "
                          "On Debian: apt-get install ${arg_PACKAGE}")
    endif()
    message(STATUS "${arg_PACKAGE} is not here")
    return()
  endif()
  add_library(outside::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(
    outside::${name}
    PROPERTIES IMPORTED_LOCATION ${${name}_LIBRARY}
               INTERFACE_INCLUDE_DIRECTORIES ${${name}_INCLUDE})
  message(STATUS "${name} ${pc_${name}_VERSION}: ${${name}_LIBRARY}")
endfunction()

sco_outside(microhttpd MODULE libmicrohttpd HEADER microhttpd.h
            LIBRARY microhttpd PACKAGE libmicrohttpd-dev)
sco_outside(cjson MODULE libcjson HEADER cjson/cJSON.h LIBRARY cjson
            PACKAGE libcjson-dev)
if(SCO_TESTS)
  sco_outside(cmocka OPTIONAL MODULE cmocka HEADER cmocka.h LIBRARY cmocka
              PACKAGE libcmocka-dev)
endif()

# Loaded at run time, and only where remote workers are: the header is enough.
find_path(zmq_INCLUDE zmq.h)
mark_as_advanced(zmq_INCLUDE)
if(zmq_INCLUDE)
  message(STATUS "zmq: ${zmq_INCLUDE}/zmq.h")
else()
  message(STATUS "libzmq3-dev is not here: no remote workers")
endif()
