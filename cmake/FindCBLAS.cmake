# Finds a BLAS with the C interface and defines CBLAS::CBLAS: OpenBLAS first, then any other that brings <cblas.h>.
# A candidate counts only if a program that calls cblas_sgemm links. CBLAS_LIBRARIES and CBLAS_INCLUDE_DIRS override.
include(FindPackageHandleStandardArgs)

# Unless a choice is made: sets CBLAS_CHOICE to `name` and defines the target, if the call links with these.
function(cblas_try name libraries include_dirs)
  if(CBLAS_CHOICE OR NOT libraries)
    return()
  endif()
  try_compile(
    works SOURCE_FROM_CONTENT
    cblas_try.cpp
    [[
      #include <cblas.h>
      int main() {
        float a = 2, b = 3, c = 0;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
        return c == 6 ? 0 : 1;
      }
    ]]
    CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${include_dirs}"
    LINK_LIBRARIES ${libraries}
    NO_CACHE)
  if(NOT works)
    return()
  endif()
  add_library(CBLAS::CBLAS INTERFACE IMPORTED)
  set_target_properties(CBLAS::CBLAS PROPERTIES INTERFACE_LINK_LIBRARIES "${libraries}"
                                                INTERFACE_INCLUDE_DIRECTORIES "${include_dirs}")
  set(CBLAS_CHOICE "${name}" PARENT_SCOPE)
endfunction()

set(CBLAS_CHOICE "")
if(TARGET CBLAS::CBLAS)
  set(CBLAS_CHOICE "already defined")
elseif(CBLAS_LIBRARIES)
  cblas_try("${CBLAS_LIBRARIES}" "${CBLAS_LIBRARIES}" "${CBLAS_INCLUDE_DIRS}")
else()
  find_package(OpenBLAS CONFIG QUIET)
  if(OpenBLAS_FOUND)
    cblas_try("OpenBLAS ${OpenBLAS_VERSION}" "${OpenBLAS_LIBRARIES}" "${OpenBLAS_INCLUDE_DIRS}")
  endif()
  if(NOT CBLAS_CHOICE)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_search_module(CBLAS_PC QUIET openblas cblas)
      cblas_try("${CBLAS_PC_MODULE_NAME} ${CBLAS_PC_VERSION}" "${CBLAS_PC_LINK_LIBRARIES}" "${CBLAS_PC_INCLUDE_DIRS}")
    endif()
  endif()
  if(NOT CBLAS_CHOICE)
    find_package(BLAS QUIET)
    find_path(CBLAS_HEADER_DIR cblas.h PATH_SUFFIXES openblas cblas atlas)
    find_library(CBLAS_LIBRARY cblas)
    mark_as_advanced(CBLAS_HEADER_DIR CBLAS_LIBRARY)
    if(BLAS_FOUND AND CBLAS_HEADER_DIR)
      cblas_try("${BLAS_LIBRARIES}" "${BLAS_LIBRARIES}" "${CBLAS_HEADER_DIR}")
      if(CBLAS_LIBRARY)
        cblas_try("${CBLAS_LIBRARY}" "${CBLAS_LIBRARY};${BLAS_LIBRARIES}" "${CBLAS_HEADER_DIR}")
      endif()
    endif()
  endif()
endif()

find_package_handle_standard_args(CBLAS REQUIRED_VARS CBLAS_CHOICE)
