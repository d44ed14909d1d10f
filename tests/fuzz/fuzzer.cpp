// The function that libFuzzer calls. Which target it is WENGERT_FUZZ_TARGET says.
#include <cstdint>
#include <cstdlib>

#include "autograd/error.hpp"
#include "targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Target& target = []() -> const fuzz::Target& {
    const char* const name = std::getenv("WENGERT_FUZZ_TARGET");
    return fuzz::target(name ? name : "");
  }();
  fuzz::accepts(target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
