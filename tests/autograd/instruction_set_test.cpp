// A library and a program that are compiled for different instruction sets: each runs its own kernels.
#include "autograd/values/instruction_set.hpp"

#include <catch.hpp>
#include <cstdlib>
#include <string>

#include "autograd/autograd.hpp"
#include "nn/nn.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

const std::string mine = autograd::detail::InstructionSet::name;

}  // namespace

TEST_CASE("an op of the library runs the library's kernels, whatever the program holds", "[instruction_set]") {
  INFO("the library is for " << instruction_set() << ", the program for " << mine);
  Tape<float> tape;
  const auto x = tape.variable(array<float>({3}, {-1, 0, 2}));
  tanh(x);
  const auto* const op = tape.recording().step(tape.size() - 1).op;
  if (instruction_set() != mine) CHECK(op != &autograd::detail::Table<ops::Tanh, float>::table);
  autograd::apply(ops::Tanh{}, x);
  CHECK(tape.recording().step(tape.size() - 1).op == &autograd::detail::Table<ops::Tanh, float>::table);
}

TEMPLATE_TEST_CASE("the library and the program fuse the same function, each for itself", "[instruction_set]", float,
                   double) {
  using T = TestType;
  INFO("the library is for " << instruction_set() << ", the program for " << mine);
  Generator generator(21);
  nn::LSTM<T> lstm({.input_size = 3, .hidden_size = 19}, generator);
  const Array<T> x = random_array<T>({4, 3, 3}, generator), z = random_array<T>({3, 76}, generator),
                 c = random_array<T>({3, 19}, generator);
  const auto run = [&](bool composed) {
    Tape<T> tape;
    if (composed) tape.record_op_by_op();
    const auto in = tape.variable(x), in_z = tape.variable(z), in_c = tape.variable(c);
    const auto [zi, zf, zg, zo] = blocks<4>(in_z);
    const auto [h, next] = nn::lstm_update(nn::Nonlinearities{}, zi, zf, zg, zo, in_c);  // compiled here
    const auto output = lstm(in).output;                                                 // in the library
    tape.backward(sum(square(output)) + sum(square(h)) + sum(next));
    std::vector<Array<T>> all{output.copy(), h.copy(), tape.gradient(in), tape.gradient(in_z), tape.gradient(in_c)};
    nn::for_each_parameter(lstm, [&](const std::string&, auto& parameter) {
      all.push_back(parameter.grad());
      parameter.zero_grad();
    });
    return all;
  };
  const auto fused = run(false), composed = run(true);
  for (std::size_t k = 0; k < fused.size(); ++k) {
    INFO("array " << k);
    CHECK(distance(fused[k], composed[k]) <= (sizeof(T) == 4 ? 3e-6 : 1e-14));
  }
}

#ifdef WENGERT_PORTABLE
TEST_CASE("the dynamic loader takes the library for this processor, or the one it was told", "[instruction_set]") {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  const char* told = std::getenv("WENGERT_EXPECTED");  // beside the GLIBC_TUNABLES that tell the loader
  CHECK(std::string(instruction_set()) == (told ? told : v4 ? "avx512bw" : v3 ? "avx2_fma" : "sse2"));
}
#endif
