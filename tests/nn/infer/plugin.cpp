// As a plug-in would: a packed model, streamed, and held to the answers beside it. `plugin MODEL ANSWERS`
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "nn/infer/packed.hpp"

int main(int count, char** arguments) {
  if (count != 3) return 2;
  std::ifstream file(arguments[1], std::ios::binary), answers(arguments[2]);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  nn::infer::Stream<float> stream = nn::infer::stream_of_packed<float>(std::as_bytes(std::span(bytes)));
  int compared = 0;
  for (float x = 0, expected = 0; answers >> x >> expected; ++compared) {
    float y = 0;
    stream.step(&x, &y);
    if (!(std::abs(y - expected) <= 1e-6f)) {
      std::printf("step %d: %g, expected %g\n", compared, double(y), double(expected));
      return 1;
    }
  }
  std::printf("%d answers of %zu bytes agree\n", compared, bytes.size());
  return compared > 0 ? 0 : 1;
}
