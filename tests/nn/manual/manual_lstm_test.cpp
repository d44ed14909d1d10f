// The hand-derived LSTM against the reference vectors, and against itself where the vectors can not see.
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/manual/lstm_bptt.hpp"
#include "oracle.hpp"

using namespace nn::manual;
using autograd::make_array;
using autograd::shape_of;
using autograd::ShapeError;
using autograd::zeros;
using oracle::agree;
using oracle::Case;

namespace {

bool covered(const Case& c) {
  return !c.get<bool>("/config/bidirectional") && c.get<std::size_t>("/config/proj_size") == 0 &&
         !c.has("/config/lengths");
}

std::vector<Case> covered_cases() {
  std::vector<Case> result;
  for (const Case& c : oracle::cases("lstm"))
    if (covered(c)) result.push_back(c);
  return result;
}

std::size_t layer_count(const Case& c) { return c.get<std::size_t>("/config/num_layers"); }

/// (A, B, C) as (B, A, C): between the two layouts of a sequence.
Array<double> swap_leading(const Array<double>& a) {
  Array<double> result = make_array<double>({a.shape(1), a.shape(0), a.shape(2)});
  for (std::size_t i = 0; i < a.shape(0); ++i)
    for (std::size_t j = 0; j < a.shape(1); ++j)
      for (std::size_t k = 0; k < a.shape(2); ++k) result(j, i, k) = a(i, j, k);
  return result;
}

/// A sequence of the case, time-major.
Array<double> sequence(const Case& c, const std::string& pointer) {
  return c.get<bool>("/config/batch_first") ? swap_leading(c.tensor(pointer)) : c.tensor(pointer);
}

/// A (L, B, H) state; zeros if the case has none.
Array<double> state(const Case& c, const std::string& pointer) {
  if (c.has(pointer)) return c.tensor(pointer);
  return zeros<double>(shape_of(c.tensor("/h_n")));
}

std::vector<LstmWeights<double>> weights_of(const Case& c) {
  std::vector<LstmWeights<double>> result;
  for (std::size_t l = 0; l < layer_count(c); ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    LstmWeights<double> weights{c.tensor("/params/weight_ih" + suffix), c.tensor("/params/weight_hh" + suffix), {}};
    if (c.get<bool>("/config/bias"))
      weights.b = c.tensor("/params/bias_ih" + suffix) + c.tensor("/params/bias_hh" + suffix);
    else
      weights.b = zeros<double>({weights.Wx.shape(0)});
    result.push_back(weights);
  }
  return result;
}

/// The l-th (B, H) slice of a state.
Array<double> slice(const Array<double>& states, std::size_t l) {
  Array<double> result = make_array<double>({states.shape(1), states.shape(2)});
  std::copy_n(states.data() + l * result.size(), result.size(), result.data());
  return result;
}

/// The steps from `first` on.
Array<double> from_step(const Array<double>& steps, std::size_t first) {
  Array<double> result = make_array<double>({steps.shape(0) - first, steps.shape(1), steps.shape(2)});
  std::copy_n(steps.data() + steps.size() - result.size(), result.size(), result.data());
  return result;
}

struct Run {
  std::vector<LstmForward<double>> forward;
  std::vector<LstmBackward<double>> backward;
};

/// loss = <output, w> + <h_n, wh> + <c_n, wc> + q Σ output², so ℓ = w + 2 q output.
Run run(const Case& c, Slip slip = Slip::none) {
  const auto weights = weights_of(c);
  Run result;
  result.forward = lstm_stack_forward(weights, sequence(c, "/input"), state(c, "/h0"), state(c, "/c0"));
  const Array<double> direct =
      sequence(c, "/loss_weights/output") + 2 * c.get<double>("/loss_quadratic") * result.forward.back().h;
  result.backward = lstm_stack_backward(weights, result.forward, direct, c.tensor("/loss_weights/h_n"),
                                        c.tensor("/loss_weights/c_n"), slip);
  return result;
}

struct Comparison {
  std::string what;
  Array<double> got, expected;
};

/// Every gradient that the case has, beside the one that was computed.
std::vector<Comparison> gradients(const Case& c, const Run& run) {
  std::vector<Comparison> result;
  for (std::size_t l = 0; l < layer_count(c); ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    const LstmBackward<double>& layer = run.backward[l];
    const auto add = [&](const std::string& what, const Array<double>& got) {
      result.push_back({what, got, c.tensor("/grads/params/" + what)});
    };
    add("weight_ih" + suffix, layer.dWx);
    add("weight_hh" + suffix, layer.dWh);
    if (c.get<bool>("/config/bias")) {
      add("bias_ih" + suffix, layer.db);
      add("bias_hh" + suffix, layer.db);
    }
    if (c.has("/grads/h0")) result.push_back({"h0" + suffix, layer.dh0, slice(c.tensor("/grads/h0"), l)});
    if (c.has("/grads/c0")) result.push_back({"c0" + suffix, layer.dc0, slice(c.tensor("/grads/c0"), l)});
  }
  result.push_back({"input", run.backward.front().dx, sequence(c, "/grads/input")});
  return result;
}

/// The names of the gradients that are wrong.
std::vector<std::string> wrong(const Case& c, Slip slip) {
  std::vector<std::string> result;
  for (const Comparison& gradient : gradients(c, run(c, slip)))
    if (!agree(gradient.got, gradient.expected)) result.push_back(gradient.what);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("manual lstm: outputs, states and gradients are those of the reference", "[manual][lstm][oracle]") {
  const std::vector<Case> cases = covered_cases();
  REQUIRE(cases.size() == 16);
  for (const Case& c : cases) {
    CAPTURE(c.name());
    const double atol = c.get<std::size_t>("/config/T") == 200 ? 1e-10 : 1e-12;
    const Run computed = run(c);
    CHECK(agree(computed.forward.back().h, sequence(c, "/output"), atol));
    for (std::size_t l = 0; l < layer_count(c); ++l) {
      CAPTURE(l);
      CHECK(agree(computed.forward[l].h_n, slice(c.tensor("/h_n"), l), atol));
      CHECK(agree(computed.forward[l].c_n, slice(c.tensor("/c_n"), l), atol));
    }
    for (const Comparison& gradient : gradients(c, computed)) {
      CAPTURE(gradient.what);
      CHECK(agree(gradient.got, gradient.expected, atol));
    }
  }
}

TEST_CASE("manual lstm: every mistake is noticed in every case that can show it", "[manual][lstm]") {
  for (const Case& c : covered_cases()) {
    CAPTURE(c.name());
    const bool one_unit = c.get<std::size_t>("/config/hidden_size") == 1;  // a 1 x 1 block is its own transpose
    CHECK(!wrong(c, Slip::sign).empty());
    CHECK(!wrong(c, Slip::carry).empty());
    CHECK(wrong(c, Slip::transpose).empty() == one_unit);
    CHECK(!wrong(c, Slip::candidate).empty());
    CHECK(wrong(c, Slip::none).empty());
  }
}

TEST_CASE("manual lstm: a mistake spoils what its equation feeds, and nothing else", "[manual][lstm]") {
  SECTION("over one step, a lost carry and a transposed recurrence reach the initial state only") {
    const Case& c = oracle::find("lstm", "lstm_T1");
    CHECK(wrong(c, Slip::carry) == Names{"c0_l0"});
    CHECK(wrong(c, Slip::transpose) == Names{"h0_l0"});
  }
  SECTION("a wrong sign at the forget gate does not reach the initial cell over one step") {
    const Case& c = oracle::find("lstm", "lstm_T1");
    CHECK(wrong(c, Slip::sign) == Names{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "h0_l0", "input"});
  }
  SECTION("the candidate slip is in the weights and biases, in the rows of g") {
    const Case& c = oracle::find("lstm", "lstm_layers2");
    CHECK(wrong(c, Slip::candidate) == Names{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",  //
                                             "weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"});
    const Run right = run(c), broken = run(c, Slip::candidate);
    const std::size_t hidden = c.get<std::size_t>("/config/hidden_size");
    for (std::size_t l = 0; l < layer_count(c); ++l)
      for (std::size_t row = 0; row < 4 * hidden; ++row) {
        CAPTURE(l, row);
        const bool of_candidate = row / hidden == 2;
        CHECK((broken.backward[l].db(row) != right.backward[l].db(row)) == of_candidate);
        CHECK((broken.backward[l].dWx(row, 0) != right.backward[l].dWx(row, 0)) == of_candidate);
        CHECK((broken.backward[l].dWh(row, 0) != right.backward[l].dWh(row, 0)) == of_candidate);
      }
  }
}

// Cut before step t, the rest of the sequence is an LSTM of its own that starts from h' and c': its dh0 and dc0 are
// what flows back into step t-1, so they give the total derivatives there by equations 1 and 3.
TEST_CASE("manual lstm: dh and dc of every step are total derivatives", "[manual][lstm]") {
  const Case& c = oracle::find("lstm", "lstm_basic");
  const LstmWeights<double> weights = weights_of(c)[0];
  const Run computed = run(c);
  const LstmForward<double>& forward = computed.forward[0];
  const LstmBackward<double>& backward = computed.backward[0];
  const Array<double> direct = c.tensor("/loss_weights/output") + 2 * c.get<double>("/loss_quadratic") * forward.h;
  const Array<double> dh_n = slice(c.tensor("/loss_weights/h_n"), 0), dc_n = slice(c.tensor("/loss_weights/c_n"), 0);
  for (std::size_t t = 0; t < forward.x.shape(0); ++t) {
    CAPTURE(t);
    const auto rest = lstm_forward(weights, from_step(forward.x, t + 1), slice(forward.h, t), slice(forward.c, t));
    CHECK(agree(rest.h_n, forward.h_n));  // also with no step left
    CHECK(agree(rest.c_n, forward.c_n));
    const auto later = lstm_backward(weights, rest, from_step(direct, t + 1), dh_n, dc_n);
    const Array<double> dh = slice(direct, t) + later.dh0;
    const Array<double> u = slice(forward.u, t);
    const Array<double> dc = later.dc0 + dh * slice(forward.o, t) * (1 - u * u);
    CHECK(agree(slice(backward.dh, t), dh));
    CHECK(agree(slice(backward.dc, t), dc));
  }
}

TEST_CASE("manual lstm: db is the sum of the pre-activation gradients", "[manual][lstm]") {
  const Case& c = oracle::find("lstm", "lstm_wide_H17");
  const LstmBackward<double> backward = run(c).backward[0];
  const std::size_t hidden = c.get<std::size_t>("/config/hidden_size");
  std::array<const Array<double>*, 4> deltas = {&backward.dzi, &backward.dzf, &backward.dzg, &backward.dzo};
  Array<double> sums = zeros<double>({4 * hidden});
  for (std::size_t gate = 0; gate < 4; ++gate)
    for (std::size_t t = 0; t < deltas[gate]->shape(0); ++t)
      for (std::size_t row = 0; row < deltas[gate]->shape(1); ++row)
        for (std::size_t k = 0; k < hidden; ++k) sums(gate * hidden + k) += (*deltas[gate])(t, row, k);
  CHECK(agree(sums, backward.db));
  CHECK(agree(sums, c.tensor("/grads/params/bias_ih_l0")));
}

TEST_CASE("manual lstm: float follows double", "[manual][lstm]") {
  const Case& c = oracle::find("lstm", "lstm_default_init_layers2");
  std::vector<LstmWeights<float>> weights;
  for (const LstmWeights<double>& layer : weights_of(c)) weights.push_back({layer.Wx, layer.Wh, layer.b});
  const Array<float> x = c.tensor("/input"), h0 = c.tensor("/h0"), c0 = c.tensor("/c0");
  const auto forward = lstm_stack_forward(weights, x, h0, c0);
  const Array<float> direct =
      c.tensor("/loss_weights/output") + 2 * c.get<double>("/loss_quadratic") * forward.back().h;
  const Array<float> dh_n = c.tensor("/loss_weights/h_n"), dc_n = c.tensor("/loss_weights/c_n");
  const auto backward = lstm_stack_backward(weights, forward, direct, dh_n, dc_n);
  CHECK(agree(forward.back().h, c.tensor("/output"), 5e-6, 0));
  CHECK(agree(backward[0].dWx, c.tensor("/grads/params/weight_ih_l0"), 1e-5, 1e-4));
  CHECK(agree(backward[0].dWh, c.tensor("/grads/params/weight_hh_l0"), 1e-5, 1e-4));
  CHECK(agree(backward[0].dx, c.tensor("/grads/input"), 1e-5, 1e-4));
  CHECK(agree(backward[1].dc0, slice(c.tensor("/grads/c0"), 1), 1e-5, 1e-4));
}

TEST_CASE("manual lstm: gates at their limits stay finite", "[manual][lstm]") {
  const LstmWeights<double> weights{autograd::full<double>({4, 1}, 1e4), zeros<double>({4, 1}), zeros<double>({4})};
  Array<double> x = zeros<double>({2, 1, 1});
  x(0, 0, 0) = 1;
  x(1, 0, 0) = -1;
  const Array<double> zero = zeros<double>({1, 1}), one = autograd::full<double>({1, 1}, 1);
  const auto forward = lstm_forward(weights, x, zero, zero);
  CHECK(forward.i(0, 0, 0) == 1);
  CHECK(forward.i(1, 0, 0) == 0);
  CHECK(forward.c(0, 0, 0) == 1);
  CHECK(forward.h(1, 0, 0) == 0);
  const auto backward = lstm_backward(weights, forward, autograd::full<double>({2, 1, 1}, 1), one, one);
  CHECK(agree(backward.dWx, zeros<double>({4, 1}), 0, 0));
  CHECK(agree(backward.dx, zeros<double>({2, 1, 1}), 0, 0));
}

TEST_CASE("manual lstm: shapes that do not fit are named", "[manual][lstm][error]") {
  const auto array = [](autograd::Shape shape) { return zeros<double>(shape); };
  const LstmWeights<double> weights{array({16, 3}), array({16, 4}), array({16})};
  const Array<double> x = array({5, 2, 3}), state = array({2, 4});
  const auto forward = lstm_forward(weights, x, state, state);

  const auto fails = [&](const LstmWeights<double>& w, const Array<double>& input, const Array<double>& h0,
                         const Array<double>& c0, const std::string& text) {
    CHECK_THROWS_AS(lstm_forward(w, input, h0, c0), ShapeError);
    CHECK_THROWS_WITH(lstm_forward(w, input, h0, c0), text);
  };
  fails({array({15, 3}), weights.Wh, weights.b}, x, state, state,
        "lstm_bptt: Wx is (15, 3), expected (4 * hidden, features): the rows of the gates i, f, g, o");
  fails({weights.Wx, array({16, 5}), weights.b}, x, state, state,
        "lstm_bptt: Wh is (16, 5), expected (16, 4) for a hidden size of 4");
  fails({weights.Wx, weights.Wh, array({4, 4})}, x, state, state,
        "lstm_bptt: b is (4, 4), expected (16) for a hidden size of 4");
  fails(weights, array({5, 2, 4}), state, state, "lstm_bptt: x is (5, 2, 4), expected (time, batch, 3) for Wx (16, 3)");
  fails(weights, array({5, 3}), state, state, "lstm_bptt: x is (5, 3), expected (time, batch, 3) for Wx (16, 3)");
  fails(weights, x, array({3, 4}), state,
        "lstm_bptt: h0 is (3, 4), expected (2, 4) for a batch of 2 and a hidden size of 4; pass zeros for no initial "
        "state");
  fails(weights, x, state, array({2, 5}),
        "lstm_bptt: c0 is (2, 5), expected (2, 4) for a batch of 2 and a hidden size of 4; pass zeros for no initial "
        "state");

  CHECK_THROWS_WITH(lstm_backward(weights, forward, array({5, 2, 3}), state, state),
                    "lstm_bptt: direct is (5, 2, 3), expected (5, 2, 4) like the output (time, batch, hidden)");
  CHECK_THROWS_WITH(lstm_backward(weights, forward, array({5, 2, 4}), array({}), state),
                    "lstm_bptt: dh_n is (), expected (2, 4) like h_n; pass zeros if the loss does not read it");
  CHECK_THROWS_WITH(lstm_backward(weights, forward, array({5, 2, 4}), state, array({2, 1})),
                    "lstm_bptt: dc_n is (2, 1), expected (2, 4) like c_n; pass zeros if the loss does not read it");

  CHECK_THROWS_WITH(lstm_stack_forward({weights, weights}, x, array({2, 2, 4}), array({2, 2, 4})),
                    "lstm_bptt: layer 1: x is (5, 2, 4), expected (time, batch, 3) for Wx (16, 3)");
  CHECK_THROWS_WITH(lstm_stack_forward({weights}, x, array({2, 2, 4}), array({1, 2, 4})),
                    "lstm_bptt: h0 is (2, 2, 4), expected (1, batch, hidden): one slice for each layer");
  CHECK_THROWS_WITH(lstm_stack_forward<double>({}, x, state, state),
                    "lstm_bptt: no layers; pass the weights of at least one");
  CHECK_THROWS_WITH(lstm_stack_backward<double>({weights, weights}, {forward}, array({5, 2, 4}), state, state),
                    "lstm_bptt: weights of 2 layers and the forward pass of 1; pass the weights that the forward pass "
                    "was run with");
}

TEST_CASE("oracle: the comparison refuses what it should", "[oracle]") {
  const Array<double> one = autograd::full<double>({1, 3}, 1);
  Array<double> off = one;
  CHECK(agree(off, one));
  off(0, 2) += 1e-11;
  CHECK(agree(off, one));
  off(0, 1) += 2e-11;
  CHECK(!agree(off, one));
  CHECK(agree(off, one).text.find("worst at (0, 1): 1.00000000002") == 0);
  off(0, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(!agree(off, one));
  CHECK(!agree(one, off));
  CHECK(!agree(autograd::full<double>({3, 1}, 1), one));
  CHECK(agree(zeros<double>({0, 3}), zeros<double>({0, 3})));
}
