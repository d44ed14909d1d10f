// Modules: names, counts, gradients that accumulate; Linear, Embedding, Dropout.
#include "nn/module.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/ops.hpp"
#include "catch.hpp"
#include "nn/nn.hpp"
#include "nn/parameters.hpp"
#include "oracle.hpp"

using autograd::Array;
using autograd::Generator;
using autograd::Index;
using autograd::Shape;
using autograd::ShapeError;
using autograd::Tape;
using autograd::ValueError;
using oracle::agree;
using oracle::parameter_names;
using oracle::random_array;

namespace {

struct Model {
  nn::Embedding<double> embedding;
  nn::LSTM<double> lstm;
  nn::Dropout<double> dropout;
  nn::Linear<double> head;

  explicit Model(Generator& generator)
      : embedding(7, 3, generator),
        lstm({.input_size = 3, .hidden_size = 4}, generator),
        dropout(0.5),
        head(4, 7, generator) {}

  static void visit(auto& self, auto&& visitor) {
    visitor("embedding", self.embedding);
    visitor("lstm", self.lstm);
    visitor("dropout", self.dropout);
    visitor("head", self.head);
  }
};

/// Two names for one parameter.
struct Tied {
  nn::Linear<double> linear;
  static void visit(auto& self, auto&& visitor) {
    visitor("first", self.linear);
    visitor("second", self.linear);
  }
};

Array<Index> indices(const Shape& shape, std::vector<Index> values) {
  Array<Index> result = autograd::make_array<Index>(shape);
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

}  // namespace

static_assert(nn::Module<Model> && nn::Module<const Model>);
static_assert(!nn::Module<int> && !nn::Module<nn::Parameter<double>>);

TEST_CASE("module: names, counts and gradients follow from visit()", "[module]") {
  Generator generator(1);
  Model model(generator);
  const std::vector<std::string> names{"embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0",
                                       "lstm.bias_hh_l0",  "head.weight",       "head.bias"};
  CHECK(parameter_names(model) == names);
  CHECK(parameter_names(std::as_const(model)) == names);
  CHECK(nn::parameter_count(model) == 7 * 3 + 16 * 3 + 16 * 4 + 2 * 16 + 7 * 4 + 7);
  const auto list = nn::parameters<double>(model);
  REQUIRE(list.size() == names.size());
  CHECK(list[0] == &model.embedding.weight);
  CHECK(list[6] == &*model.head.bias);

  const Array<Index> tokens = indices({3, 2}, {0, 6, 3, 3, 1, 0}), targets = indices({3, 2}, {6, 3, 3, 1, 0, 2});
  Tape<double> tape;
  const auto backward = [&] {
    tape.clear();
    tape.backward(nn::cross_entropy(model.head(model.lstm(model.embedding(tape, tokens)).output), targets));
  };
  backward();
  std::vector<Array<double>> once;
  for (const auto* p : list) once.push_back(p->grad());
  for (const Array<double>& gradient : once) {
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    CHECK(largest > 0);
  }
  backward();
  for (std::size_t k = 0; k < list.size(); ++k) CHECK(agree(list[k]->grad(), 2 * once[k]));
  nn::zero_grad(model);
  for (const auto* p : list)
    for (const double g : p->grad()) CHECK(g == 0);
  backward();
  for (std::size_t k = 0; k < list.size(); ++k) CHECK(agree(list[k]->grad(), once[k], 0, 0));
}

TEST_CASE("module: a shared parameter is optimized once", "[module]") {
  Generator generator(2);
  Tied tied{{2, 3, generator}};
  CHECK(parameter_names(tied) ==
        std::vector<std::string>{"first.weight", "first.bias", "second.weight", "second.bias"});
  CHECK(nn::parameters<double>(tied).size() == 2);
}

TEST_CASE("module: it learns", "[module]") {
  Generator generator(3);
  Model model(generator);
  nn::Adam<double> optimizer(model, {.learning_rate = 0.05});
  const Array<Index> tokens = indices({6, 1}, {0, 1, 2, 3, 4, 5}), targets = indices({6, 1}, {1, 2, 3, 4, 5, 6});
  Tape<double> tape;
  double loss = 0;
  for (int step = 0; step < 100; ++step) {
    tape.clear();
    const auto error = nn::cross_entropy(model.head(model.lstm(model.embedding(tape, tokens)).output), targets);
    loss = error.item();
    if (step == 0) CHECK(loss > 1.5);
    optimizer.zero_grad();
    tape.backward(error);
    optimizer.step();
  }
  CHECK(loss < 0.1);
}

TEST_CASE("linear", "[module]") {
  Generator generator(4);
  nn::Linear<double> layer(3, 2, generator), plain(3, 2, generator, false);
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight", "bias"});
  CHECK(parameter_names(plain) == std::vector<std::string>{"weight"});
  CHECK(layer.weight.shape() == Shape{2, 3});
  for (const double w : layer.weight.value()) CHECK(std::abs(w) <= 1 / std::sqrt(3));
  for (const double b : layer.bias->value()) CHECK(std::abs(b) <= 1 / std::sqrt(3));

  const auto input = random_array({4, 5, 3}, generator);
  Tape<double> tape;
  const auto x = tape.constant(input);
  const Array<double> y = layer(x).copy(), z = plain(x).copy();
  REQUIRE(autograd::shape_of(y) == Shape{4, 5, 2});
  for (std::size_t k = 0; k < 2; ++k) {
    double expected = 0, without = 0;
    for (std::size_t n = 0; n < 3; ++n) {
      expected += input(1, 2, n) * layer.weight.value()(k, n);
      without += input(1, 2, n) * plain.weight.value()(k, n);
    }
    CHECK(y(1, 2, k) == Catch::Approx(expected + layer.bias->value()(k)).epsilon(1e-13));
    CHECK(z(1, 2, k) == Catch::Approx(without).epsilon(1e-13));
  }
  CHECK_THROWS_AS(layer(tape.constant({4, 2}, 0)), ShapeError);
}

TEST_CASE("embedding", "[module]") {
  Generator generator(5);
  nn::Embedding<double> layer(4, 3, generator);
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight"});
  Tape<double> tape;
  const auto y = layer(tape, indices({2, 2}, {3, 0, 3, 1}));
  REQUIRE(y.shape() == Shape{2, 2, 3});
  CHECK(y.value()(1, 0, 2) == layer.weight.value()(3, 2));
  CHECK(y.value()(1, 1, 0) == layer.weight.value()(1, 0));
  tape.backward(sum(y));
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(layer.weight.grad()(3, k) == 2);
    CHECK(layer.weight.grad()(1, k) == 1);
    CHECK(layer.weight.grad()(2, k) == 0);
  }
  CHECK_THROWS_AS(layer(tape, indices({1}, {4})), ValueError);
}

TEST_CASE("dropout", "[module]") {
  Generator generator(6), same(6);
  nn::Dropout<double> layer(0.25);
  CHECK(parameter_names(layer).empty());
  Tape<double> tape;
  const auto x = tape.variable(autograd::full<double>({10000}, 3));
  const auto y = layer(x, generator);
  CHECK(agree(y.copy(), layer(x, same).copy(), 0, 0));
  std::size_t dropped = 0;
  for (const double value : y.value()) {
    CHECK((value == 0 || value == Catch::Approx(4)));
    dropped += value == 0;
  }
  CHECK(std::abs(static_cast<double>(dropped) - 2500) < 200);

  layer.training = false;
  const Generator before = generator;
  CHECK(agree(layer(x, generator).copy(), x.copy(), 0, 0));
  CHECK(generator == before);
  CHECK_THROWS_AS(nn::Dropout<double>(1), ValueError);
  CHECK_THROWS_AS(nn::Dropout<double>(-0.1), ValueError);
}
