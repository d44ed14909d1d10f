# shellcheck shell=bash
# header_package FOLDER NAME VERSION INCLUDE: makes what find_package(NAME) looks for in FOLDER, of a library that is
# headers alone. To be sourced.
header_package() {
  mkdir -p "$1/$2"
  echo "if(NOT TARGET $2)
      add_library($2 INTERFACE IMPORTED)
      target_include_directories($2 SYSTEM INTERFACE \"$4\")
    endif()" >"$1/$2/$2Config.cmake"
  echo "set(PACKAGE_VERSION $3)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)" >"$1/$2/$2ConfigVersion.cmake"
}
