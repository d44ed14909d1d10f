# Tests of the build itself: the installed package serves a project of its own, and a missing BLAS is said plainly.

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/prefix)
add_test(NAME package_clean COMMAND ${CMAKE_COMMAND} -E rm -rf ${prefix})
add_test(NAME package_install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
add_test(
  NAME package_consumer
  COMMAND
    ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/consumer ${CMAKE_CURRENT_BINARY_DIR}/consumer
    --build-noclean --build-generator ${CMAKE_GENERATOR} --build-makeprogram ${CMAKE_MAKE_PROGRAM}
    --build-options
      -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
      -DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} -DCMAKE_CXX_FLAGS_DEBUG=${CMAKE_CXX_FLAGS_DEBUG}
    --test-command consumer
)
set_tests_properties(package_clean PROPERTIES FIXTURES_SETUP clean_prefix)
set_tests_properties(package_install PROPERTIES FIXTURES_REQUIRED clean_prefix FIXTURES_SETUP installed_package)
set_tests_properties(package_consumer PROPERTIES FIXTURES_REQUIRED installed_package)

add_test(
  NAME configure_without_blas
  COMMAND
    ${CMAKE_COMMAND} -D STATUS=1 -D "OUTPUT=No BLAS with the C interface was found: .*libopenblas-dev"
    -P ${PROJECT_SOURCE_DIR}/cmake/run_and_check.cmake --
    ${CMAKE_COMMAND} --fresh -S ${PROJECT_SOURCE_DIR} -B ${CMAKE_CURRENT_BINARY_DIR}/without_blas -G ${CMAKE_GENERATOR}
    -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DWENGERT_BUILD_TESTS=OFF -DWENGERT_BUILD_EXAMPLES=OFF
    -DWENGERT_BUILD_BENCHMARKS=OFF -DCMAKE_DISABLE_FIND_PACKAGE_OpenBLAS=ON -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
    -DCMAKE_DISABLE_FIND_PACKAGE_BLAS=ON
)
