# Tests of the build itself: the installed package serves a project of its own, and what can not be is said plainly.

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/prefix)
add_test(NAME package_clean COMMAND ${CMAKE_COMMAND} -E rm -rf ${prefix})
add_test(NAME package_install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
set_tests_properties(package_clean PROPERTIES FIXTURES_SETUP clean_prefix)
set_tests_properties(package_install PROPERTIES FIXTURES_REQUIRED clean_prefix FIXTURES_SETUP installed_package)

# The consumer with the compiler's own flags, and compiled for another instruction set than the package.
foreach(level "" ${levels})
  set(flags ${CMAKE_CXX_FLAGS})
  set(name consumer)
  if(level)
    string(APPEND flags " -march=${level}")
    set(name consumer_${level})
  endif()
  add_test(
    NAME package_${name}
    COMMAND
      ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/consumer ${CMAKE_CURRENT_BINARY_DIR}/${name}
      --build-noclean --build-generator ${CMAKE_GENERATOR} --build-makeprogram ${CMAKE_MAKE_PROGRAM}
      --build-options
        -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
        -DCMAKE_CXX_FLAGS=${flags} -DCMAKE_CXX_FLAGS_DEBUG=${CMAKE_CXX_FLAGS_DEBUG}
      --test-command consumer
  )
  set_tests_properties(package_${name} PROPERTIES FIXTURES_REQUIRED installed_package FIXTURES_SETUP package_${name})
  if(level)
    break()
  endif()
endforeach()

# A program without a build type is told what that costs.
add_test(
  NAME package_without_build_type
  COMMAND
    ${CMAKE_COMMAND} -D STATUS=0 -D "OUTPUT=Wengert: CMAKE_BUILD_TYPE is not set, .* many times slower"
    -P ${PROJECT_SOURCE_DIR}/cmake/run_and_check.cmake --
    ${CMAKE_COMMAND} --fresh -S ${CMAKE_CURRENT_SOURCE_DIR}/consumer
    -B ${CMAKE_CURRENT_BINARY_DIR}/consumer_without_build_type -G ${CMAKE_GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
)
set_tests_properties(package_without_build_type PROPERTIES FIXTURES_REQUIRED installed_package)

# Of the installed libraries the dynamic loader takes the one for the processor, or for what it is told of it.
function(add_choice_test library tunables)
  add_test(NAME package_${library} COMMAND ${CMAKE_CURRENT_BINARY_DIR}/consumer/consumer)
  set_tests_properties(package_${library} PROPERTIES
    ENVIRONMENT "GLIBC_TUNABLES=${tunables}"
    PASS_REGULAR_EXPRESSION "0 failures, library for ${library}"
    FIXTURES_REQUIRED package_consumer)
endfunction()
if(WENGERT_PORTABLE)
  add_choice_test(sse2 glibc.cpu.hwcaps=-AVX2)
  if(WENGERT_RUNS_V3)
    add_choice_test(avx2_fma glibc.cpu.hwcaps=-AVX512F)
  endif()
  if(WENGERT_RUNS_V4)
    add_choice_test(avx512bw "")
  endif()
endif()

# expect_refusal(<test> <message> <option>...): configuring with these options ends with the message.
function(expect_refusal name message)
  add_test(
    NAME ${name}
    COMMAND
      ${CMAKE_COMMAND} -D STATUS=1 -D "OUTPUT=${message}" -P ${PROJECT_SOURCE_DIR}/cmake/run_and_check.cmake --
      ${CMAKE_COMMAND} --fresh -S ${PROJECT_SOURCE_DIR} -B ${CMAKE_CURRENT_BINARY_DIR}/${name} -G ${CMAKE_GENERATOR}
      -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DWENGERT_BUILD_TESTS=OFF -DWENGERT_BUILD_EXAMPLES=OFF
      -DWENGERT_BUILD_BENCHMARKS=OFF ${ARGN}
  )
endfunction()
expect_refusal(configure_without_blas "No BLAS with the C interface was found: .*libopenblas-dev"
               -DCMAKE_DISABLE_FIND_PACKAGE_OpenBLAS=ON -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
               -DCMAKE_DISABLE_FIND_PACKAGE_BLAS=ON)
# A package that claims to be of the first release that was not tested.
foreach(untested "xsimd 15.0.0" "xtensor 0.28.0")
  string(REPLACE " " ";" untested "${untested}")
  list(GET untested 0 name)
  list(GET untested 1 version)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/untested/${name})
  file(WRITE ${folder}/${name}Config.cmake "set(${name}_FOUND TRUE)\n")
  file(WRITE ${folder}/${name}ConfigVersion.cmake
       "set(PACKAGE_VERSION ${version})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
  expect_refusal(configure_with_untested_${name} "${name} ${version} was found; Wengert was tested with releases before"
                 -D${name}_DIR=${folder})
endforeach()
expect_refusal(configure_portable_and_native "WENGERT_PORTABLE and WENGERT_NATIVE exclude each other"
               -DWENGERT_PORTABLE=ON -DWENGERT_NATIVE=ON)
