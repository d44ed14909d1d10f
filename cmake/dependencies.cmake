# The libraries we build on: for each the oldest version that works, and the release to fetch where none is installed.
# tested_versions.cmake has the newest ones.

# Brings in package `name`, at least `version`, or else release `tag` of the GitHub `repository`. `version` is "" where
# several major versions will do: the version files of these packages refuse every major but the one asked for.
macro(wengert_require name version repository tag)
  if(WENGERT_FETCH_DEPENDENCIES)
    include(FetchContent)
    FetchContent_Declare(
      ${name}
      GIT_REPOSITORY https://github.com/${repository}.git
      GIT_TAG ${tag}
      GIT_SHALLOW ON
      SYSTEM
      FIND_PACKAGE_ARGS ${version})
    FetchContent_MakeAvailable(${name})
  else()
    find_package(${name} ${version} QUIET)
    if(NOT ${name}_FOUND)
      message(FATAL_ERROR "${name} ${version} was not found: install it, or configure with "
                          "-DWENGERT_FETCH_DEPENDENCIES=ON to fetch it from github.com/${repository}.")
    endif()
  endif()
endmacro()

# Fetched projects heed the options set here, and leave out their own tests.
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
set(BUILD_TESTS OFF)

# xtl, xsimd and xtensor are released to fit each other: either all three are installed, or all three are fetched.
find_package(xtensor 0.24.3 QUIET)
if(NOT xtensor_FOUND)
  set(FETCHCONTENT_TRY_FIND_PACKAGE_MODE NEVER)
endif()
wengert_require(xtl 0.7.0 xtensor-stack/xtl 0.7.7)
wengert_require(xsimd "" xtensor-stack/xsimd 11.2.0)
wengert_require(xtensor 0.24.3 xtensor-stack/xtensor 0.25.0)
unset(FETCHCONTENT_TRY_FIND_PACKAGE_MODE)
include(${CMAKE_CURRENT_LIST_DIR}/tested_versions.cmake)

find_package(Threads REQUIRED)
wengert_require(nlohmann_json 3.11 nlohmann/json v3.11.3)
if(WENGERT_BUILD_TESTS)
  wengert_require(Catch2 "" catchorg/Catch2 v3.5.4)
endif()
if(WENGERT_BUILD_EXAMPLES OR WENGERT_BUILD_BENCHMARKS)
  wengert_require(CLI11 2.1 CLIUtils/CLI11 v2.4.2)
  wengert_require(fmt 9 fmtlib/fmt 10.2.1)
endif()

list(APPEND CMAKE_MODULE_PATH "${PROJECT_SOURCE_DIR}/cmake")
find_package(CBLAS QUIET)
if(NOT CBLAS_FOUND)
  message(
    FATAL_ERROR "No BLAS with the C interface was found: install OpenBLAS (Debian and Ubuntu: libopenblas-dev), "
                "or set CBLAS_LIBRARIES and CBLAS_INCLUDE_DIRS.")
endif()
message(STATUS "BLAS: ${CBLAS_CHOICE}")
