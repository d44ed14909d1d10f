// Sizes that no memory could hold: each is refused before anything is made, and what was recorded stays as it is.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "nn/audit/input_gated_cell.hpp"
#include "nn/nn.hpp"

using namespace autograd;

namespace {

constexpr std::size_t minus_one = static_cast<std::size_t>(-1);
constexpr std::size_t two_to_32 = std::size_t(1) << 32, two_to_62 = std::size_t(1) << 62;

}  // namespace

TEST_CASE("a shape counts its elements, or says that they are too many", "[sizes]") {
  CHECK(Shape{3, 4}.elements() == 12);
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{0, 7}.elements() == 0);
  CHECK(Shape{2, 3, 4}.elements(1, 3) == 12);
  CHECK(Shape{Shape::max_elements}.elements() == Shape::max_elements);
  for (const Shape& shape : {Shape{two_to_32, two_to_32}, Shape{minus_one}, Shape{two_to_62, 4}, Shape{3, minus_one, 1},
                             Shape{0, two_to_32, two_to_32}, Shape{two_to_32, two_to_32, 0},
                             Shape{Shape::max_elements, 2}, Shape{two_to_32, two_to_32, two_to_32, two_to_32}}) {
    CAPTURE(to_string(shape));
    CHECK_THROWS_MATCHES(shape.elements(), ShapeError,
                         Catch::Matchers::Message("shape: " + to_string(shape) +
                                                  " has more elements than can be addressed; was a size negative?"));
    CHECK_THROWS_AS(make_array<float>(shape), ShapeError);
    CHECK_THROWS_AS(full<double>(shape, 1), ShapeError);
    CHECK_THROWS_AS(zeros<double>(shape), ShapeError);
  }
}

TEST_CASE("ops refuse sizes beyond what can be addressed, by their name", "[sizes]") {
  using Call = std::function<Variable<double>(Tape<double>&, Variable<double>)>;
  const auto one_of = [](std::vector<Variable<double>> parts) { return parts.at(0); };
  const std::vector<std::pair<std::string, Call>> calls{
      {"pad", [](auto&, auto x) { return pad(x, 0, minus_one, 1); }},
      {"pad", [](auto&, auto x) { return pad(x, 0, 1, minus_one); }},
      {"pad", [](auto&, auto x) { return pad(x, 1, minus_one - 2, 0); }},
      {"pad", [](auto&, auto x) { return pad(x, 1, two_to_62, two_to_62); }},
      {"repeat", [](auto&, auto x) { return repeat(x, minus_one, 0); }},
      {"repeat", [](auto&, auto x) { return repeat(x, two_to_62, 1); }},
      {"repeat", [](auto&, auto x) { return repeat(x, Shape::max_elements / 3, 1); }},
      {"tile",
       [](auto&, auto x) {
         return tile(x, {minus_one, 1});
       }},
      {"tile",
       [](auto&, auto x) {
         return tile(x, {two_to_32, two_to_32});
       }},
      {"tile",
       [](auto&, auto x) {
         return tile(x, {two_to_62, 2, 3});
       }},
      {"reshape",
       [](auto&, auto x) {
         return reshape(x, {two_to_62, 4, 2, 3});
       }},
      {"reshape",
       [](auto& tape, auto) {
         return reshape(tape.constant({0}, 0.0), {two_to_32, two_to_32});
       }},
      {"reshape",
       [](auto& tape, auto) {
         return reshape(tape.constant({0}, 0.0), {two_to_32, 0, two_to_32});
       }},
      {"broadcast_to",
       [](auto& tape, auto) {
         return broadcast_to(tape.constant({1, 1}, 0.0), {two_to_62, 4});
       }},
      {"broadcast_to",
       [](auto&, auto x) {
         return broadcast_to(x, {two_to_32, two_to_32, 2, 3});
       }},
      {"shape", [](auto& tape, auto) { return tape.constant({minus_one}, 0.0); }},
      {"shape",
       [](auto& tape, auto) {
         return tape.constant({two_to_32, two_to_32}, 0.0);
       }},
      {"split",
       [=](auto&, auto x) {
         return one_of(split(x, {two_to_62, two_to_62, two_to_62, two_to_62, 3}, 1));
       }},
      {"split",
       [=](auto&, auto x) {
         return one_of(split(x, {minus_one, 4}, 1));
       }},
      {"split",
       [=](auto&, auto x) {
         return one_of(split(x, {3, minus_one, 1}, 1));
       }},
  };
  for (const auto& [op, call] : calls) {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{{1, 2, 3}, {4, 5, 6}});
    const auto before = sum(x * x);
    INFO(op);
    CHECK_THROWS_MATCHES(call(tape, x), ShapeError, Catch::Matchers::Predicate<const ShapeError&>([&](const auto& e) {
                           return std::string(e.what()).rfind(op + ": ", 0) == 0;
                         }));
    tape.backward(before);  // the tape is as it was
    CHECK((tape.gradient(x) == 2 * x.copy()));
  }
}

TEST_CASE("sizes that are large but mean something are taken as they are", "[sizes]") {
  Tape<double> tape;
  const auto x = tape.constant(Array<double>{1, 2, 3});
  CHECK(split_every(x, minus_one).size() == 1);
  CHECK(chunk(x, minus_one).size() == 3);
  const Index lowest = INT64_MIN, highest = INT64_MAX;
  CHECK((slice(x, 0, lowest, highest).copy() == x.copy()));
  CHECK((slice(x, 0, 0, highest, highest).copy() == Array<double>{1}));
  CHECK((slice(x, 0, -1, lowest, lowest).copy() == Array<double>{3}));
  CHECK((slice(x, 0, highest, lowest, -2).copy() == Array<double>{3, 1}));
  CHECK(slice(x, 0, 2, 0, highest).shape() == Shape{0});
  CHECK(roll(x, lowest, 0).shape() == Shape{3});
  const auto matrix = tape.constant(Array<double>{{1, 2}, {3, 4}});
  CHECK(diagonal(matrix, lowest).shape() == Shape{0});
  CHECK(diagonal(matrix, highest).shape() == Shape{0});
  CHECK_THROWS_AS(layer_norm(matrix, minus_one), ShapeError);
  CHECK_THROWS_AS(select(x, 0, lowest), Error);
  CHECK_THROWS_AS(select(x, 0, highest), Error);
}

TEST_CASE("modules refuse sizes that overflow", "[sizes]") {
  Generator generator(1);
  const std::vector<std::function<void(std::size_t)>> makers{
      [&](std::size_t n) { nn::Linear<float>(n, n, generator); },
      [&](std::size_t n) { nn::Linear<float>(1, n, generator); },
      [&](std::size_t n) { nn::Embedding<float>(n, 8, generator); },
      [&](std::size_t n) { nn::LSTMCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::LSTMCell<float>({.input_size = n, .hidden_size = 8}, generator); },
      [&](std::size_t n) { nn::GRUCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::RNNCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::LSTM<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::LSTM<float>({.input_size = 1, .hidden_size = n, .bidirectional = true}, generator); },
      [&](std::size_t n) { nn::LSTM<float>({.input_size = 1, .hidden_size = 1, .num_layers = n}, generator); },
      [&](std::size_t n) { nn::GRU<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::RNN<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::PeepholeLSTMCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::MinimalGatedCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) { nn::InputGatedCell<float>({.input_size = 1, .hidden_size = n}, generator); },
      [&](std::size_t n) {
        nn::orthogonal<float>({n, n}, generator);
      },
      [&](std::size_t n) {
        nn::xavier_uniform<float>({n, n}, generator);
      },
      [&](std::size_t n) {
        nn::normal<float>({n, 2}, 0, 1, generator);
      },
  };
  for (std::size_t k = 0; k < makers.size(); ++k)
    for (const std::size_t n : {two_to_62, minus_one, two_to_62 + 1}) {
      CAPTURE(k, n);
      CHECK_THROWS_AS(makers[k](n), ShapeError);
    }
}
