# The instruction sets beyond the flags of the build: of WENGERT_PORTABLE, and of tests.

# wengert_compile_for(<target> <x86-64 level>): x86-64, x86-64-v3 (AVX2) or x86-64-v4 (AVX-512)
function(wengert_compile_for target level)
  target_compile_options(${target} PRIVATE -march=${level})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-uninitialized)  # GCC bug 105593
  endif()
endfunction()

# wengert_install_library(<target>): installs a library of this directory. With WENGERT_PORTABLE it becomes three files
# of one name, two of them in folders in which the dynamic loader (glibc 2.33 and later) looks first where the processor
# has what the folder is named for.
function(wengert_install_library target)
  install(TARGETS ${target} EXPORT wengert-targets)
  if(NOT WENGERT_PORTABLE)
    return()
  endif()
  set_target_properties(${target} PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
    INSTALL_RPATH $ORIGIN)
  # What the library calls is its own, whatever the program holds under the same name.
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions)

  foreach(level x86-64-v3 x86-64-v4)
    set(variant ${target}_${level})
    get_target_property(sources ${target} SOURCES)
    add_library(${variant} SHARED ${sources})
    foreach(property COMPILE_DEFINITIONS COMPILE_FEATURES COMPILE_OPTIONS INCLUDE_DIRECTORIES LINK_LIBRARIES LINK_OPTIONS
                     VERSION SOVERSION INSTALL_RPATH)
      get_property(value TARGET ${target} PROPERTY ${property})
      set_property(TARGET ${variant} PROPERTY ${property} ${value})
    endforeach()
    set(folder glibc-hwcaps/${level})
    set_target_properties(${variant} PROPERTIES
      OUTPUT_NAME ${target}
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/${folder})
    wengert_compile_for(${variant} ${level})
    install(TARGETS ${variant} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/${folder} NAMELINK_SKIP)
  endforeach()
endfunction()

if(WENGERT_PORTABLE)
  if(WENGERT_NATIVE)
    message(FATAL_ERROR "WENGERT_PORTABLE and WENGERT_NATIVE exclude each other: the first is for every x86-64 "
                        "processor, the second for that of this machine.")
  endif()
  include(CheckCXXSourceCompiles)
  check_cxx_source_compiles([[
    #include <cstdlib>
    #if !defined(__x86_64__) || !__GLIBC_PREREQ(2, 33)
    #error
    #endif
    int main() {}
  ]] WENGERT_HAS_HWCAPS)
  if(NOT WENGERT_HAS_HWCAPS)
    message(FATAL_ERROR "WENGERT_PORTABLE needs x86-64 and glibc 2.33 or later, whose dynamic loader chooses among "
                        "libraries for several instruction sets.")
  endif()
  set(BUILD_SHARED_LIBS ON)
endif()
