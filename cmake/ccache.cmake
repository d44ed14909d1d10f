# Compiles through ccache when it is installed.
find_program(WENGERT_CCACHE ccache)
mark_as_advanced(WENGERT_CCACHE)
if(WENGERT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this sloppiness ccache passes by everything that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros"
                                  "${WENGERT_CCACHE}")
endif()
