// Thousands of small random programs, whose sweeps have to agree with the complex step for every value on the tape.
#include <cstdlib>
#include <iostream>

#include "catch.hpp"
#include "random_program.hpp"

using namespace autograd;
using namespace autograd::testing;

TEST_CASE("sweeps of random programs agree with the complex step", "[random]") {
  const char* chosen = std::getenv("WENGERT_SEED");  // a single program, to look into a failure
  Tape<double> tape;
  Count count;
  if (chosen) {
    check_program(tape, std::strtoull(chosen, nullptr, 10), {}, count);
    std::cout << tape.print();
    return;
  }
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) check_program(tape, seed, {}, count);
  std::cout << "random programs: " << count.compared << " gradients compared, " << count.refused << " refused\n";
  CHECK(count.compared > 130'000);
  CHECK(count.refused > 5'000);
}
