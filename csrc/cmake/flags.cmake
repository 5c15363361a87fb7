# The flags of our own files. Outside headers are system headers to them, so
# that every warning is about code that we can change.

set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-Og -g")

set(SCO_WARNINGS
    -Wall
    -Wextra
    -Wshadow
    -Wconversion
    -Wstrict-prototypes
    -Wmissing-prototypes
    -Wvla
    -Wwrite-strings
    -Wpointer-arith
    -Wundef
    -Wformat=2
    -Wswitch-enum
    -Wimplicit-fallthrough
    -Werror)

# What a sanitizer needs when compiling and linking alike.
set(SCO_SANITIZE_FLAGS "")
if(SCO_SANITIZE STREQUAL "address")
  set(SCO_SANITIZE_FLAGS -fsanitize=address,undefined
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(SCO_SANITIZE STREQUAL "thread")
  set(SCO_SANITIZE_FLAGS -fsanitize=thread -fno-omit-frame-pointer)
elseif(SCO_SANITIZE STREQUAL "fuzz")
  # -no-link: only the fuzz targets get libFuzzer's main().
  set(SCO_SANITIZE_FLAGS -fsanitize=address,undefined,fuzzer-no-link
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(SCO_SANITIZE)
  message(FATAL_ERROR "SCO_SANITIZE=${SCO_SANITIZE}: not one that we know")
endif()

# Whole-program optimisation is for what ships; it hides nothing from a
# debugger or a sanitizer there, because neither is in that build.
set(SCO_IPO OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SCO_SANITIZE)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT SCO_IPO LANGUAGES C)
endif()

# Gives a target the flags of the house. NO_PEDANTIC is for the files that
# see <Python.h>: a PyModuleDef_Slot puts a function into a `void *`, which
# ISO C forbids.
function(sco_flags target)
  cmake_parse_arguments(arg "NO_PEDANTIC" "" "" ${ARGN})
  set_target_properties(
    ${target}
    PROPERTIES C_STANDARD 17
               C_STANDARD_REQUIRED ON
               C_EXTENSIONS OFF
               C_VISIBILITY_PRESET hidden
               POSITION_INDEPENDENT_CODE ON
               INTERPROCEDURAL_OPTIMIZATION ${SCO_IPO})
  target_compile_definitions(
    ${target} PRIVATE _POSIX_C_SOURCE=200809L
                      SCO_VERSION="${PROJECT_VERSION}")
  target_compile_options(${target} PRIVATE ${SCO_WARNINGS}
                                           -fstack-protector-strong
                                           ${SCO_SANITIZE_FLAGS})
  target_link_options(${target} PRIVATE ${SCO_SANITIZE_FLAGS})
  if(NOT arg_NO_PEDANTIC)
    target_compile_options(${target} PRIVATE -Wpedantic)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SCO_SANITIZE)
    # Some distributions set it to another level by default: -U first.
    target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE
                                             -D_FORTIFY_SOURCE=2)
  endif()
endfunction()
