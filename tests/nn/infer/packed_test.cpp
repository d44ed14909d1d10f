// The packed form of a graph: what comes back is what went in, and nothing else is taken for it.
#include "nn/infer/packed.hpp"

#include <cstring>
#include <fstream>
#include <iomanip>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "catch.hpp"
#include "nn/graph/models.hpp"
#include "nn/graph/step_graph.hpp"

using autograd::Error;
using autograd::FormatError;
using autograd::Graph;
using Catch::Matchers::ContainsSubstring;
using nn::infer::packed;
using nn::infer::unpacked;

namespace {

using Bytes = std::vector<std::byte>;

/// With the checksum that the rest has.
Bytes sealed(Bytes bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t k = 0; k + 8 < bytes.size(); ++k)
    hash = (hash ^ static_cast<std::uint8_t>(bytes[k])) * 0x100000001b3u;
  for (std::size_t k = 0; k < 8; ++k) bytes[bytes.size() - 8 + k] = static_cast<std::byte>(hash >> (8 * k));
  return bytes;
}

Graph<float> small() {
  nn::Generator generator(2);
  nn::Sequential model(nn::LSTM<float>({.input_size = 1, .hidden_size = 6}, generator),
                       nn::Linear<float>(6, 1, generator));
  return nn::step_graph(model);
}

template <class T>
void check_round_trip(const Graph<T>& graph) {
  const Graph<T> again = unpacked<T>(packed(graph));
  CHECK(again.print() == graph.print());
  CHECK(again.batched() == graph.batched());
  CHECK(packed(again) == packed(graph));
  Graph<T> plain = graph;
  plain.functions.clear();
  autograd::GraphRun<T> a(plain), b(again);
  for (int t = 0; t < 5; ++t) {
    for (std::size_t k = 0; k < graph.input_size(); ++k) a.input()[k] = b.input()[k] = T(0.1) * T(t + int(k));
    a.step();
    b.step();
    CHECK(std::equal(a.output(), a.output() + graph.output_size(), b.output()));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every cell and model comes back from its packed form", "[packed]", float, double) {
  using T = TestType;
  graphs::for_each_cell<T>(2, 4, [](const std::string& name, auto& cell, std::size_t features) {
    INFO(name);
    check_round_trip(nn::step_graph<T>(cell, {.input_size = features}));
  });
  graphs::for_each_model<T>(2, 4, [](const std::string& name, auto& model, std::size_t, auto) {
    INFO(name);
    check_round_trip(nn::step_graph<T>(model));
  });
}

TEST_CASE("bytes that are no packed graph are refused", "[packed]") {
  const Bytes good = packed(small());
  const auto refused = [](const Bytes& bytes, const char* text) {
    CHECK_THROWS_WITH(unpacked<float>(bytes), ContainsSubstring(text));
  };
  refused({}, "does not begin with WGRTPACK");
  refused(Bytes(100), "does not begin with WGRTPACK");
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_THROWS_AS(unpacked<float>(std::span(good).first(size)), FormatError);
  for (std::size_t k = 0; k < good.size(); k += 7) {
    Bytes changed = good;
    changed[k] ^= std::byte(16);
    CHECK_THROWS_AS(unpacked<float>(changed), FormatError);
    // Whoever gives it the right checksum gets a graph, or an error.
    try {
      (void)unpacked<float>(sealed(changed));
    } catch (const Error&) {
    }
  }
  CHECK_THROWS_WITH(unpacked<double>(good), ContainsSubstring("its elements take 4 bytes, expected 8"));
  Bytes newer = good;
  newer[8] = std::byte(9);
  refused(sealed(newer), "it is of version 9, expected 1");
  Bytes longer = good;
  longer.insert(longer.end() - 8, std::byte(0));
  refused(sealed(longer), "something behind its end");
  Bytes other = good;
  const char tanh[] = "tanh", word[] = "tank";
  const auto at = std::search(other.begin(), other.end(), reinterpret_cast<const std::byte*>(tanh),
                              reinterpret_cast<const std::byte*>(tanh) + 4);
  REQUIRE(at != other.end());
  std::memcpy(&*at, word, 4);
  refused(sealed(other), "a step \"tank\", which is no op of this version");
}

TEST_CASE("a model for a program that links wengert::infer alone", "[packed]") {
  const Graph<float> graph = small();
  const Bytes bytes = packed(graph);
  std::ofstream("packed_model.bin", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  std::ofstream answers("packed_answers.txt");
  nn::infer::Stream<float> stream(graph);
  for (int t = 0; t < 100; ++t) {
    const float x = std::sin(0.3f * float(t));
    float y = 0;
    stream.step(&x, &y);
    answers << std::setprecision(9) << x << ' ' << y << '\n';
  }
  CHECK(answers.good());
}
