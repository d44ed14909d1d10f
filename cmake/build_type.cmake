# Tells a project that uses us what it costs to have no build type: cells are templates, as fast as they are compiled to be.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  message(STATUS "Wengert: CMAKE_BUILD_TYPE is not set, so fused cells are not optimised and run many times slower. "
                 "Configure with -DCMAKE_BUILD_TYPE=Release, and -DCMAKE_CXX_FLAGS=-march=native for this processor.")
endif()
