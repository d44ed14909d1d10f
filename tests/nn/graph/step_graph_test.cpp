// Graphs of models: what they compute is what the tape does, step by step, at any batch, with its gradients.
#include "nn/graph/step_graph.hpp"

#include <map>

#include "autograd/gradient.hpp"
#include "autograd/graph/run.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/graph/graph_cell.hpp"

using autograd::Array;
using autograd::Graph;
using autograd::GraphRun;
using autograd::Shape;
using autograd::Tape;
using autograd::Variable;

namespace {

constexpr std::size_t steps = 6, input = 3, hidden = 5;

template <class T>
Array<T> sequence(std::size_t batch, std::size_t features) {
  nn::Generator generator(9);
  return nn::normal<T>({steps, batch, features}, 0, 1, generator);
}

/// The largest difference between what a run of the graph gives for one sequence and the tape's outputs (time, 1, n).
template <class T>
double difference_of_run(const Graph<T>& graph, const Array<T>& x, const Array<T>& expected) {
  GraphRun<T> run(graph);
  double worst = 0;
  for (int pass = 0; pass < 2; ++pass, run.reset())
    for (std::size_t t = 0; t < steps; ++t) {
      std::copy_n(x.data() + t * graph.input_size(), graph.input_size(), run.input());
      run.step();
      REQUIRE(graph.output_size() * steps == expected.size());
      for (std::size_t k = 0; k < graph.output_size(); ++k)
        worst =
            std::max(worst, std::abs(double(run.output()[k]) - double(expected.data()[t * graph.output_size() + k])));
    }
  return worst;
}

/// That between the outputs (time, batch, n) of a recurrent model and a GraphCell's.
template <class T>
double difference_of_cell(const Graph<T>& graph, const Array<T>& x, const Array<T>& expected) {
  nn::Recurrent cell{nn::GraphCell<T>(graph)};
  Tape<T> tape;
  const Array<T> y = cell(tape.constant(x)).output.copy();
  REQUIRE(y.size() == expected.size());
  double worst = 0;
  for (std::size_t k = 0; k < y.size(); ++k)
    worst = std::max(worst, std::abs(double(y.data()[k]) - double(expected.data()[k])));
  return worst;
}

template <class State>
auto output_of(const State& state) {
  using nn::output;
  return output(state);
}

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-14;

}  // namespace

TEMPLATE_TEST_CASE("the graph of every cell computes what the cell does", "[graph]", float, double) {
  using T = TestType;
  graphs::for_each_cell<T>(input, hidden, [](const std::string& name, auto& cell, std::size_t features) {
    INFO(name);
    const Graph<T> graph = nn::step_graph<T>(cell, {.input_size = features});
    check(graph);
    CHECK(graph.batched());
    CHECK(graph.parameter_count() + (name == "LearnedState" ? 2 * hidden : 0) == nn::parameter_count(cell));
    for (const std::size_t batch : {std::size_t(1), std::size_t(4)}) {
      const Array<T> x = sequence<T>(batch, features);
      nn::Recurrent recurrent(cell);
      Tape<T> tape;
      const Array<T> expected = recurrent(tape.constant(x)).output.copy();
      CHECK(difference_of_cell(graph, x, expected) <= tolerance<T>);
      if (batch == 1) CHECK(difference_of_run(graph, x, expected) <= tolerance<T>);
    }
  });
}

TEMPLATE_TEST_CASE("the graph of every model computes what the model does", "[graph]", float, double) {
  using T = TestType;
  graphs::for_each_model<T>(input, hidden, [](const std::string& name, auto& model, std::size_t features, auto answer) {
    INFO(name);
    const Graph<T> graph = nn::step_graph<T>(model);
    check(graph);
    for (const std::size_t batch : {std::size_t(1), std::size_t(4)}) {
      const Array<T> x = sequence<T>(batch, features);
      Tape<T> tape;
      const Array<T> expected = answer(tape.constant(x)).copy();
      CHECK(difference_of_cell(graph, x, expected) <= tolerance<T>);
      if (batch == 1) CHECK(difference_of_run(graph, x, expected) <= tolerance<T>);
    }
  });
}

TEST_CASE("a model that says what a step is becomes a graph", "[graph]") {
  nn::Generator generator(1);
  graphs::SteppedModel<double> model(input, hidden, generator);
  const Graph<double> graph = nn::step_graph(model);
  check(graph);
  CHECK(graph.states.size() == 3);
  const Array<double> x = sequence<double>(1, input);
  Tape<double> tape;
  auto state = model.zero_state(tape, 1);
  std::vector<double> outputs;
  for (std::size_t t = 0; t < steps; ++t) {
    const auto result = model.step(tape.constant(x)[static_cast<autograd::Index>(t)], state);
    state = result.state;
    for (const double y : result.output.value()) outputs.push_back(y);
  }
  GraphRun<double> run(graph);
  for (std::size_t t = 0; t < steps; ++t) {
    std::copy_n(x.data() + t * input, input, run.input());
    run.step();
    for (std::size_t k = 0; k < 2; ++k) CHECK(run.output()[k] == Approx(outputs[2 * t + k]).epsilon(1e-13));
  }
}

TEST_CASE("gradients of a graph are those of what it was recorded from", "[graph]") {
  graphs::for_each_cell<double>(input, hidden, [](const std::string& name, auto& cell, std::size_t features) {
    if (name == "LearnedState") return;  // its initial state is a number in the graph
    INFO(name);
    const Array<double> x = sequence<double>(2, features);
    const auto gradients = [&](auto& model) {
      nn::zero_grad(model);
      Tape<double> tape;
      auto state = model.zero_state(tape, 2);
      Variable<double> loss;
      for (std::size_t t = 0; t < steps; ++t) {
        state = model(tape.constant(x)[static_cast<autograd::Index>(t)], state);
        const Variable<double> part = autograd::sum(autograd::square(output_of(state)));
        loss = loss ? loss + part : part;
      }
      tape.backward(loss);
      std::map<std::string, std::vector<double>> result;
      nn::for_each_parameter(model, [&](const std::string& path, auto& p) {
        result[path].assign(p.grad().data(), p.grad().data() + p.grad().size());
      });
      return result;
    };
    const Graph<double> graph = nn::step_graph<double>(cell, {.input_size = features});
    nn::GraphCell<double> again(graph);
    const auto expected = gradients(cell), found = gradients(again);
    REQUIRE(found.size() == expected.size());
    for (const auto& [path, values] : expected) {
      INFO(path);
      REQUIRE(found.count(path));
      for (std::size_t k = 0; k < values.size(); ++k)
        CHECK(found.at(path)[k] == Approx(values[k]).epsilon(1e-10).margin(1e-12));
    }
  });
}

TEST_CASE("a graph prints as a tape does", "[graph]") {
  nn::Generator generator(1);
  graphs::UserCell<float> cell(2, 3, generator);
  const Graph<float> graph = nn::step_graph(cell, {.input_size = 2});
  CHECK(graph.print() == R"(%0 = input x  (1, 2)
%1 = state h  (1, 3)
%2 = parameter U_f.weight  (3, 3)
%3 = parameter W_f.weight  (3, 2)
%4 = parameter W_f.bias  (3)
%5 = parameter U_g.weight  (3, 3)
%6 = parameter W_g.weight  (3, 2)
%7 = parameter W_g.bias  (3)
%8 = linear(%1, %2)  (1, 3)
%9 = linear(%0, %3, %4)  (1, 3)
%10:zf = add(%9, %8)  (1, 3)
%11:f = sigmoid(%10:zf)  (1, 3)
%12 = mul(%11:f, %1)  (1, 3)
%13 = linear(%12, %5)  (1, 3)
%14 = linear(%0, %6, %7)  (1, 3)
%15:zg = add(%14, %13)  (1, 3)
%16:g = tanh(%15:zg)  (1, 3)
%17 = mul(%11:f, %16:g)  (1, 3)
%18 = affine(%11:f, scale=-1, shift=1)  (1, 3)
%19 = mul(%18, %1)  (1, 3)
%20:h = add(%19, %17)  (1, 3)
next h = %20:h
output y = %20:h
)");
}

TEST_CASE("what has no steps forward in time becomes no graph", "[graph]") {
  nn::Generator generator(1);
  nn::LSTM<float> both({.input_size = 2, .hidden_size = 3, .bidirectional = true}, generator);
  CHECK_THROWS_WITH(nn::step_graph(both), Catch::Contains("bidirectional"));
  nn::Recurrent reverse(nn::GRUCell<float>({.input_size = 2, .hidden_size = 3}, generator), {.reverse = true});
  CHECK_THROWS_WITH(nn::step_graph(reverse), Catch::Contains("in reverse"));
  graphs::UserCell<float> cell(2, 3, generator);
  CHECK_THROWS_WITH(nn::step_graph(cell), Catch::Contains(".input_size = 2"));
  const auto draws = [&](Variable<float> x, Variable<float> h) {
    const auto y = autograd::dropout(x, 0.5, generator);
    return std::pair{y, h};
  };
  const auto zeros = [](Tape<float>& tape, std::size_t batch) { return tape.constant({batch, 2}, 0.0f); };
  CHECK_THROWS_WITH(nn::step_graph<float>(draws, zeros, {.input_size = 2}), Catch::Contains("random numbers"));
}
