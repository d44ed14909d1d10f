// Graphs by themselves: what runs in the place of their steps, what is refused, and the ops that they can have.
#include <algorithm>
#include <set>

#include "allocations.hpp"
#include "autograd/error.hpp"
#include "autograd/graph/record.hpp"
#include "autograd/graph/run.hpp"
#include "autograd/ops.hpp"
#include "autograd/pointwise.hpp"
#include "catch.hpp"
#include "samples/samples.hpp"

using namespace autograd;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A graph of f(x, states), where x and the states are rows of `width` elements that start from 1, 2, ...
template <class T, class F>
Graph<T> graph_from(std::size_t width, std::size_t states, F f) {
  Tape<T> tape;
  tape.record_op_by_op();
  std::vector<CompiledFunction<T>> functions;
  tape.recording().collect_compiled_functions(&functions);
  GraphEnds<T> ends;
  const Variable<T> x = tape.variable(zeros<T>({1, width}));
  std::vector<Variable<T>> before;
  for (std::size_t k = 0; k < states; ++k) before.push_back(tape.variable(full<T>({1, width}, T(k + 1))));
  const auto [y, after] = f(x, before);
  ends.inputs = {{"x", x}};
  ends.outputs = {{"y", y}};
  for (std::size_t k = 0; k < states; ++k) ends.states.push_back({"s" + std::to_string(k), before[k], after[k]});
  Graph<T> graph = graph_of(tape, ends);
  graph.functions = std::move(functions);
  return graph;
}

using V = Variable<double>;
using States = std::vector<V>;
using Result = std::pair<V, States>;

std::vector<double> outputs(GraphRun<double>& run, std::initializer_list<double> inputs) {
  std::vector<double> result;
  for (const double x : inputs) {
    run.input()[0] = x;
    run.step();
    result.push_back(run.output()[0]);
  }
  return result;
}

}  // namespace

TEST_CASE("states that change places, wait, or stay", "[graph]") {
  SECTION("a delay line") {
    GraphRun<double> run(graph_from<double>(1, 3, [](V x, const States& s) { return Result{s[2], {x, s[0], s[1]}}; }));
    CHECK(outputs(run, {10, 20, 30, 40, 50}) == std::vector<double>{3, 2, 1, 10, 20});
    run.reset();
    CHECK(outputs(run, {10, 20}) == std::vector<double>{3, 2});
  }
  SECTION("two that are exchanged, and one that stays") {
    GraphRun<double> run(graph_from<double>(1, 3, [](V x, const States& s) {
      return Result{s[0] * 100 + s[1] * 10 + s[2] + x, {s[1], s[0], s[2]}};
    }));
    CHECK(outputs(run, {0, 0, 0, 0.5}) == std::vector<double>{123, 213, 123, 213.5});
  }
  SECTION("one that another is made of, and an output that is the state of before") {
    GraphRun<double> run(graph_from<double>(1, 2, [](V x, const States& s) {
      const V sum = s[0] + x;
      return Result{s[0], {sum, s[1] * s[0]}};
    }));
    CHECK(outputs(run, {1, 1, 1}) == std::vector<double>{1, 2, 3});
    CHECK(run.state(0)[0] == 4);
    CHECK(run.state(1)[0] == 12);
  }
  SECTION("two of one value") {
    GraphRun<double> run(graph_from<double>(1, 2, [](V x, const States& s) {
      const V sum = s[0] + x;
      return Result{s[0] + s[1], {sum, sum}};
    }));
    CHECK(outputs(run, {1, 1, 1}) == std::vector<double>{3, 4, 6});
  }
  SECTION("the input as output") {
    GraphRun<double> run(graph_from<double>(1, 0, [](V x, const States&) { return Result{x, {}}; }));
    CHECK(outputs(run, {1, 2}) == std::vector<double>{1, 2});
  }
}

TEST_CASE("compiled functions are called where their formulas are found", "[graph]") {
  static constexpr auto decay = pointwise([](auto x, auto s) {
    const auto f = sigmoid(x);
    const auto next = f * s + (1 - f) * tanh(x);
    return std::tuple{next, next * f};
  });
  const auto step = [](V x, const States& s) {
    const auto [next, y] = decay(x, s[0]);
    return Result{y, {next}};
  };
  Graph<double> graph = graph_from<double>(5, 1, step);
  CHECK(graph.functions.size() == 1);
  GraphRun<double> fused(graph);
  CHECK(fused.print() == "function of 2 -> 2 x (5)\n");
  graph.functions.clear();
  GraphRun<double> plain(graph);
  const std::string steps = plain.print();  // in which order a compiler calls the operands is its own business
  CHECK(std::count(steps.begin(), steps.end(), '\n') == 7);
  for (int k = 0; k < 20; ++k) {
    for (std::size_t at = 0; at < 5; ++at) fused.input()[at] = plain.input()[at] = std::sin(k + double(at));
    fused.step();
    plain.step();
    for (std::size_t at = 0; at < 5; ++at) {
      CHECK(fused.output()[at] == Approx(plain.output()[at]).epsilon(1e-14));
      CHECK(fused.state(0)[at] == Approx(plain.state(0)[at]).epsilon(1e-14));
    }
  }
  // A result that a step reads before the function could be called: the function is left out.
  const Graph<double> early = graph_from<double>(5, 1, [](V x, const States& s) {
    const V f = sigmoid(x);
    const V next = f * s[0] + (1 - f) * tanh(x);
    const V other = sum(next, 1, true) * next;
    return Result{next * f + other, {next}};
  });
  Graph<double> with = early;
  with.functions = graph_from<double>(5, 1, step).functions;
  GraphRun<double> a(early), b(with);
  for (std::size_t at = 0; at < 5; ++at) a.input()[at] = b.input()[at] = double(at);
  a.step();
  b.step();
  for (std::size_t at = 0; at < 5; ++at) CHECK(a.output()[at] == Approx(b.output()[at]).epsilon(1e-14));
}

TEST_CASE("a step allocates nothing, and silence takes the states to 0", "[graph]") {
  GraphRun<float> run([] {
    Tape<float> tape;
    tape.record_op_by_op();
    const auto x = tape.variable(zeros<float>({1, 8})), s = tape.variable(zeros<float>({1, 8}));
    const auto next = s * 0.7 + x;
    return graph_of<float>(tape, {{{"x", x}}, {}, {{"y", next}}, {{"s", s, next}}});
  }());
  std::fill_n(run.input(), 8, 1.0f);
  run.step();
  std::fill_n(run.input(), 8, 0.0f);
  CHECK(allocations::during([&] {
          for (int k = 0; k < 300; ++k) run.step();
        }) == 0);
  for (std::size_t at = 0; at < 8; ++at) CHECK(run.state(0)[at] == 0);
}

TEST_CASE("a graph that can not run is refused", "[graph]") {
  const Graph<double> good = graph_from<double>(2, 1, [](V x, const States& s) {
    const V y = tanh(x + s[0]);
    return Result{y, {y}};
  });
  const auto refused = [&](auto change, const char* text) {
    Graph<double> graph = good;
    change(graph);
    CHECK_THROWS_WITH(check(graph), ContainsSubstring(text));
    CHECK_THROWS_AS(GraphRun<double>(graph), Error);
  };
  CHECK_NOTHROW(check(good));
  refused([](auto& g) { std::swap(g.steps[0], g.steps[1]); }, "which is not computed before");
  refused([](auto& g) { g.steps[0].inputs[0] = 99; }, "is value 99, and there are 4");
  refused([](auto& g) { g.steps[1].outputs[0] = g.steps[0].outputs[0]; }, "which is there before");
  refused([](auto& g) { g.steps[1].inputs.push_back(0); }, "tanh: it has 2 inputs, expected 1");
  refused([](auto& g) { g.values[g.steps[1].outputs[0]].shape = {1, 3}; }, "has shape (1, 2), and (1, 3) is given");
  refused([](auto& g) { g.values[0].shape = {1, 3}; }, "add: operands have shapes");
  refused([](auto& g) { g.states[0].initial.pop_back(); }, "has 1 elements, and shape (1, 2)");
  refused(
      [](auto& g) {
        g.states[0].output = 0;
        g.values[0].shape = {2};
      },
      "shape");
  refused([](auto& g) { g.outputs.push_back(g.outputs[0]); }, "two outputs have the name \"y\"");
  refused([](auto& g) { g.steps.pop_back(); }, "is not computed before");
}

TEST_CASE("every op of the library is one of a graph, or refused by its name", "[graph]") {
  // Those of losses, of gradients, and those that run something of the program's.
  const std::set<std::string> none{"absolute_error",
                                   "assemble",
                                   "bce",
                                   "bce_with_logits",
                                   "binary_cross_entropy",
                                   "binary_cross_entropy_with_logits",
                                   "checkpoint",
                                   "cross_entropy",
                                   "drawn",
                                   "gather_adjoint",
                                   "hook",
                                   "huber",
                                   "kl_div",
                                   "logistic_loss",
                                   "logsumexp_share",
                                   "masked_mean",
                                   "max_share",
                                   "mse_loss", "positive_logistic_loss",
                                   "pointwise",
                                   "soft_margin_loss",
                                   "squared_error",
                                   "take_adjoint",
                                   "weighted"};
  std::set<std::string> seen;
  for (const testing::RegisteredOp& op : testing::registered_ops())
    for (const testing::Sample& sample : op.samples) {
      Tape<double> tape;
      tape.record_op_by_op();
      std::vector<V> x;
      double number = 0.3;
      for (const Shape& shape : sample.inputs)
        x.push_back(tape.variable([&] {
          Array<double> values = make_array<double>(shape);
          for (double& value : values) {
            number = std::fmod(number + 0.37, 1.0);
            value = sample.domain.low + number * (sample.domain.high - sample.domain.low);
          }
          return values;
        }()));
      V y;
      try {
        y = sample.call(x);
      } catch (const Error&) {
        continue;
      }
      std::set<std::string> recorded;
      for (std::size_t k = 0; k < tape.size(); ++k)
        if (tape.recording().step(k).input_count > 0 || !tape.recording().step(k).op->info->replayable)
          recorded.insert(tape.recording().step(k).op->info->name);
      seen.insert(recorded.begin(), recorded.end());
      GraphEnds<double> ends;
      for (std::size_t k = 0; k < x.size(); ++k) ends.inputs.push_back({"x" + std::to_string(k), x[k]});
      ends.outputs = {{"y", y}};
      INFO(op.info->name << ", " << sample.description);
      const bool expected =
          std::none_of(recorded.begin(), recorded.end(), [&](const std::string& name) { return none.count(name) > 0; });
      if (!expected) continue;
      const Graph<double> graph = graph_of(tape, ends);
      check(graph);
      GraphRun<double> run(graph);
      for (std::size_t k = 0; k < x.size(); ++k)
        std::copy_n(x[k].value().data(), x[k].shape().elements(), run.input(k));
      run.step();
      const Array<double> values = y.copy();
      for (std::size_t at = 0; at < values.size(); ++at)
        CHECK(std::abs(run.output()[at] - values.data()[at]) <= 1e-12 * std::max(1.0, std::abs(values.data()[at])));
      // And back onto a tape.
      Tape<double> again;
      std::vector<V> inputs;
      for (const V& each : x) inputs.push_back(again.variable(each.copy()));
      const Array<double> back = record<double>(graph, again, inputs, {}, {}).outputs[0].copy();
      CHECK(std::equal(back.begin(), back.end(), values.begin()));
    }
  for (const GraphOp<double>& op : graph_ops<double>()) CHECK(seen.count(std::string(op.name())));
  for (const std::string& name : seen) {
    INFO(name);
    CHECK((none.count(name) || find_graph_op<double>(name)));
  }

  Tape<double> tape;
  const V x = tape.variable(full<double>({2, 2}, 0.5));
  const GradientHook<double> same = [](V g) { return g; };
  const V hooked = hook(x, same);
  CHECK_THROWS_WITH((graph_of<double>(tape, {{{"x", x}}, {}, {{"y", hooked}}, {}})),
                    ContainsSubstring("the op hook is none that a graph can have"));
}

TEST_CASE("a row by its number, and what is no row", "[graph]") {
  Tape<double> tape;
  const V weight = tape.variable(Array<double>{{1, 2}, {3, 4}, {5, 6}});
  for (const double index : {3.0, -1.0, 0.5})
    CHECK_THROWS_WITH(embedding(weight, tape.constant(Array<double>{0, index})),
                      ContainsSubstring("is no row of a vocabulary of 3; rows are 0 to 2"));
  const V index = tape.variable(Array<double>{2});
  const V row = embedding(weight, index);
  const Array<double> values = row.copy();
  CHECK((values.size() == 2 && values.data()[0] == 5 && values.data()[1] == 6));
  GraphRun<double> run(graph_of<double>(tape, {{{"w", weight}, {"x", index}}, {}, {{"y", row}}, {}}));
  std::copy_n(weight.value().data(), 6, run.input(0));
  for (const double at : {1.0, 3.0, -1.0, 0.5}) {
    run.input(1)[0] = at;
    run.step();
    if (at == 1)
      CHECK((run.output()[0] == 3 && run.output()[1] == 4));
    else
      CHECK(std::isnan(run.output()[0]));
  }
}
