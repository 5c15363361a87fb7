# One program for each tests/unit/**/test_<file>.c, called
# unit.<module>.<file>, and linked with that module, those below it and what
# lies in tests/unit/support/. A test that stands in no module's folder is
# linked with the whole core.

if(NOT TARGET outside::cmocka)
  message(STATUS "no cmocka: the unit tests are left out")
  return()
endif()

# The helpers are linked with no module: whatever test uses one has the
# modules that the helper calls. The linker is given them first.
file(GLOB support_sources CONFIGURE_DEPENDS ${SCO_TEST_DIR}/unit/support/*.c)
if(support_sources)
  add_library(sco_test_support STATIC ${support_sources})
  sco_flags(sco_test_support)
  set(scope PUBLIC)
else()
  add_library(sco_test_support INTERFACE)
  set(scope INTERFACE)
endif()
target_include_directories(sco_test_support ${scope} ${SCO_TEST_DIR}/unit
                                                     ${PROJECT_SOURCE_DIR})
target_link_libraries(sco_test_support ${scope} outside::cmocka
                                                Threads::Threads)

# A CUDA runtime without a GPU, for those who load one.
add_library(fake_cudart MODULE ${SCO_TEST_DIR}/cudart/fake_cudart.c)
sco_flags(fake_cudart)
target_compile_definitions(fake_cudart PRIVATE _GNU_SOURCE)
target_compile_options(fake_cudart PRIVATE -Wno-missing-prototypes)
target_link_libraries(fake_cudart PRIVATE Threads::Threads)
# Its header is compared with our declarations where it is installed.
find_path(cudart_INCLUDE cuda_runtime_api.h
          PATHS /usr/local/cuda/include /usr/include)
mark_as_advanced(cudart_INCLUDE)

file(GLOB_RECURSE unit_sources CONFIGURE_DEPENDS
     ${SCO_TEST_DIR}/unit/test_*.c)
foreach(source IN LISTS unit_sources)
  file(RELATIVE_PATH name ${SCO_TEST_DIR}/unit ${source})
  string(REGEX REPLACE "\\.c$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  string(REPLACE "test_" "" name ${name})
  string(REGEX MATCH "^[a-z][a-z0-9]*" module ${name})

  add_executable(unit.${name} ${source})
  if(module MATCHES "^(pybridge|module)$")
    # These see <Python.h>, in the tests as in csrc/.
    if(NOT TARGET sco_python OR NOT Python_Development.Embed_FOUND)
      message(STATUS "unit.${name} needs libpython: left out")
      set_target_properties(unit.${name} PROPERTIES EXCLUDE_FROM_ALL ON)
      continue()
    endif()
    sco_flags(unit.${name} NO_PEDANTIC)
    set(libraries sco_python Python::Python)
  elseif(module IN_LIST SCO_CORE_MODULES)
    sco_flags(unit.${name})
    set(libraries sco_${module})
  else()
    sco_flags(unit.${name})
    set(libraries sco_core)
  endif()
  if(module MATCHES "^(cuda|pybridge)$")
    target_compile_definitions(
      unit.${name} PRIVATE FAKE_CUDART="$<TARGET_FILE:fake_cudart>")
    add_dependencies(unit.${name} fake_cudart)
  endif()
  target_link_libraries(unit.${name} PRIVATE sco_test_support ${libraries})
  sco_add_test(unit.${name} unit.${name} LABEL unit)
endforeach()
if(cudart_INCLUDE AND TARGET unit.cuda.runtime)
  target_compile_definitions(unit.cuda.runtime PRIVATE HAVE_CUDA_HEADER)
  target_include_directories(unit.cuda.runtime SYSTEM
                             PRIVATE ${cudart_INCLUDE})
endif()
