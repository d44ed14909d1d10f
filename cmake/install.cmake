# Installs the headers and the package, so that find_package(wengert) finds them.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wengert)

install(
  DIRECTORY autograd nn
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert
  FILES_MATCHING
  PATTERN "*.hpp")
install(EXPORT wengert-targets NAMESPACE wengert:: DESTINATION ${package_dir})

configure_package_config_file(cmake/wengert-config.cmake.in wengert-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(wengert-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wengert-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/wengert-config-version.cmake
              cmake/FindCBLAS.cmake cmake/build_type.cmake cmake/tested_versions.cmake DESTINATION ${package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
