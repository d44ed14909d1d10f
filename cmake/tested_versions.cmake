# Refuses releases of the array libraries that are newer than those the tests were run with: a release of xsimd that
# changed which operand min() returns for NaN once made exp(NaN) infinite.

option(WENGERT_UNTESTED_DEPENDENCIES "Accept newer releases of xtensor and xsimd than were tested" OFF)

function(wengert_check_tested name first_untested)
  set(version "${${name}_VERSION}")
  if(version VERSION_GREATER_EQUAL first_untested AND NOT WENGERT_UNTESTED_DEPENDENCIES)
    message(FATAL_ERROR "${name} ${version} was found; Wengert was tested with releases before ${first_untested}. "
                        "Install one of those, or configure with -DWENGERT_UNTESTED_DEPENDENCIES=ON and run the tests "
                        "`elementary` and `ops` first.")
  endif()
endfunction()

wengert_check_tested(xtl 0.9)
wengert_check_tested(xsimd 15)
wengert_check_tested(xtensor 0.28)
