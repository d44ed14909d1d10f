// The derivations by hand of GRU, RNN and the LSTM's variants, against the reference vectors and against the tape.
#include <map>
#include <memory>
#include <string>

#include "autograd/autograd.hpp"
#include "autograd/support.hpp"
#include "catch.hpp"
#include "nn/manual/gru_bptt.hpp"
#include "nn/manual/lstm_variant_bptt.hpp"
#include "nn/manual/rnn_bptt.hpp"
#include "oracle.hpp"

using namespace autograd;
using namespace autograd::testing;
using namespace nn::manual;
using oracle::agree;
using oracle::Case;
using Arrays = std::map<std::string, Array<double>>;

namespace {

/// What a layer receives or passes on: of the output at every step, of the final or initial h, and of c where there is
/// one.
struct Parts {
  Array<double> steps, h, c;
};

/// One layer in one direction, whichever the cell.
struct Layer {
  virtual ~Layer() = default;
  virtual Parts forward(const Array<double>& x, const Array<double>& h0, const Array<double>& c0) = 0;
  /// Of x, h0, c0, given those of the output and the final state.
  virtual Parts backward(const Parts& gradient) = 0;
  Arrays gradients;  ///< by the names of the weights
};

struct RnnLayer final : Layer {
  RnnWeights<double> w;
  Sequences sequences;
  RnnForward<double> f;
  RnnLayer(RnnWeights<double> w, Sequences s) : w(std::move(w)), sequences(std::move(s)) {}
  Parts forward(const Array<double>& x, const Array<double>& h0, const Array<double>&) override {
    f = rnn_forward(w, x, h0, sequences);
    return {f.h, f.h_n, {}};
  }
  Parts backward(const Parts& g) override {
    const auto b = rnn_backward(w, f, g.steps, g.h, sequences);
    gradients = {{"weight_ih", b.dWx}, {"weight_hh", b.dWh}, {"bias_ih", b.db}, {"bias_hh", b.db}};
    return {b.dx, b.dh0, {}};
  }
};

struct GruLayer final : Layer {
  GruWeights<double> w;
  Sequences sequences;
  GruForward<double> f;
  GruLayer(GruWeights<double> w, Sequences s) : w(std::move(w)), sequences(std::move(s)) {}
  Parts forward(const Array<double>& x, const Array<double>& h0, const Array<double>&) override {
    f = gru_forward(w, x, h0, sequences);
    return {f.h, f.h_n, {}};
  }
  Parts backward(const Parts& g) override {
    const auto b = gru_backward(w, f, g.steps, g.h, sequences);
    gradients = {{"weight_ih", b.dWx}, {"weight_hh", b.dWh}, {"bias_ih", b.dbx}, {"bias_hh", b.dbh}};
    return {b.dx, b.dh0, {}};
  }
};

struct LstmLayer final : Layer {
  LstmVariantWeights<double> w;
  LstmVariant variant;
  LstmVariantForward<double> f;
  LstmLayer(LstmVariantWeights<double> w, LstmVariant v) : w(std::move(w)), variant(std::move(v)) {}
  Parts forward(const Array<double>& x, const Array<double>& h0, const Array<double>& c0) override {
    f = lstm_variant_forward(variant, w, x, h0, c0);
    return {f.h, f.h_n, f.c_n};
  }
  Parts backward(const Parts& g) override {
    const auto b = lstm_variant_backward(variant, w, f, g.steps, g.h, g.c);
    const auto& d = b.weights;
    gradients = {{"weight_ih", d.Wx}, {"weight_hh", d.Wh}, {"bias_ih", d.b}, {"bias_hh", d.b}, {"weight_hr", d.Wp}};
    return {b.dx, b.dh0, b.dc0};
  }
};

/// Columns [first, first + count) of the last axis.
Array<double> columns(const Array<double>& a, std::size_t first, std::size_t count) {
  Array<double> result = make_array<double>({a.shape(0), a.shape(1), count});
  for (std::size_t i = 0; i < a.shape(0); ++i)
    for (std::size_t j = 0; j < a.shape(1); ++j)
      for (std::size_t k = 0; k < count; ++k) result(i, j, k) = a(i, j, first + k);
  return result;
}

Array<double> beside(const std::vector<Array<double>>& parts) {
  std::size_t width = 0;
  for (const auto& part : parts) width += part.shape(2);
  Array<double> result = make_array<double>({parts[0].shape(0), parts[0].shape(1), width});
  std::size_t first = 0;
  for (const auto& part : parts) {
    for (std::size_t i = 0; i < part.shape(0); ++i)
      for (std::size_t j = 0; j < part.shape(1); ++j)
        for (std::size_t k = 0; k < part.shape(2); ++k) result(i, j, first + k) = part(i, j, k);
    first += part.shape(2);
  }
  return result;
}

Array<double> plane(const Array<double>& a, std::size_t k) {
  if (a.dimension() != 3) return {};
  Array<double> result = make_array<double>({a.shape(1), a.shape(2)});
  std::copy_n(a.data() + k * result.size(), result.size(), result.data());
  return result;
}

/// (A, B, C) as (B, A, C).
Array<double> swapped(const Array<double>& a) {
  Array<double> result = make_array<double>({a.shape(1), a.shape(0), a.shape(2)});
  for (std::size_t i = 0; i < a.shape(0); ++i)
    for (std::size_t j = 0; j < a.shape(1); ++j)
      for (std::size_t k = 0; k < a.shape(2); ++k) result(j, i, k) = a(i, j, k);
  return result;
}

std::unique_ptr<Layer> make_layer(const Case& c, const std::string& suffix, bool reverse) {
  const auto at = [&](const char* name) { return c.tensor(std::string("/params/") + name + suffix); };
  const Array<double> Wx = at("weight_ih"), Wh = at("weight_hh"), none = zeros<double>({Wx.shape(0)});
  const bool bias = c.get<bool>("/config/bias");
  const Array<double> bx = bias ? at("bias_ih") : none, bh = bias ? at("bias_hh") : none;
  Sequences sequences{{}, reverse};
  if (c.has("/config/lengths")) sequences.lengths = c.get<std::vector<std::size_t>>("/config/lengths");
  const auto module = c.get<std::string>("/config/module");
  if (module == "GRU") return std::make_unique<GruLayer>(GruWeights<double>{Wx, Wh, bx, bh}, sequences);
  if (module == "RNN")
    return std::make_unique<RnnLayer>(
        RnnWeights<double>{Wx, Wh, bx + bh, c.get<std::string>("/config/nonlinearity") == "relu"}, sequences);
  LstmVariantWeights<double> w{.Wx = Wx, .Wh = Wh, .b = bx + bh};
  const bool projection = c.get<std::size_t>("/config/proj_size") > 0;
  if (projection) w.Wp = at("weight_hr");
  return std::make_unique<LstmLayer>(w, LstmVariant{.projection = projection, .sequences = sequences});
}

/// Layers and directions of one reference case, forwards and backwards.
void check_case(const Case& c) {
  const std::size_t layers = c.get<std::size_t>("/config/num_layers");
  const std::size_t directions = c.get<bool>("/config/bidirectional") ? 2 : 1;
  const bool batch_first = c.get<bool>("/config/batch_first"), lstm = c.get<std::string>("/config/module") == "LSTM";
  const double atol = c.get<std::size_t>("/config/T") >= 200 ? 1e-10 : 1e-12;
  const auto sequence = [&](const std::string& at) { return batch_first ? swapped(c.tensor(at)) : c.tensor(at); };
  const auto state = [&](const std::string& name) {
    return c.has("/" + name + "0") ? c.tensor("/" + name + "0") : zeros<double>(shape_of(c.tensor("/" + name + "_n")));
  };
  const auto suffix = [&](std::size_t k) {
    return "_l" + std::to_string(k / directions) + (k % directions ? "_reverse" : "");
  };

  const Array<double> h0 = state("h"), c0 = lstm ? state("c") : Array<double>();
  std::vector<std::unique_ptr<Layer>> all;
  Array<double> x = sequence("/input");
  for (std::size_t layer = 0; layer < layers; ++layer) {
    std::vector<Array<double>> sides;
    for (std::size_t direction = 0; direction < directions; ++direction) {
      const std::size_t k = layer * directions + direction;
      all.push_back(make_layer(c, suffix(k), direction == 1));
      const Parts result = all.back()->forward(x, plane(h0, k), plane(c0, k));
      sides.push_back(result.steps);
      CHECK(agree(result.h, plane(c.tensor("/h_n"), k), atol));
      if (lstm) CHECK(agree(result.c, plane(c.tensor("/c_n"), k), atol));
    }
    x = beside(sides);
  }
  const Array<double> output = sequence("/output");
  CHECK(agree(x, output, atol));

  Array<double> above = sequence("/loss_weights/output") + 2 * c.get<double>("/loss_quadratic") * output;
  const Array<double> dh_n = c.tensor("/loss_weights/h_n");
  const Array<double> dc_n = lstm ? c.tensor("/loss_weights/c_n") : Array<double>();
  for (std::size_t layer = layers; layer-- > 0;) {
    const std::size_t width = above.shape(2) / directions;
    Array<double> below;
    for (std::size_t direction = 0; direction < directions; ++direction) {
      const std::size_t k = layer * directions + direction;
      const Parts gradient =
          all[k]->backward({columns(above, direction * width, width), plane(dh_n, k), plane(dc_n, k)});
      below = direction == 0 ? gradient.steps : Array<double>(below + gradient.steps);
      if (c.has("/h0")) CHECK(agree(gradient.h, plane(c.tensor("/grads/h0"), k), atol));
      if (lstm && c.has("/c0")) CHECK(agree(gradient.c, plane(c.tensor("/grads/c0"), k), atol));
      for (const auto& [name, value] : all[k]->gradients) {
        const std::string at = "/grads/params/" + name + suffix(k);
        INFO(at);
        if (c.has(at)) CHECK(agree(value, c.tensor(at), atol));
      }
    }
    above = below;
  }
  CHECK(agree(batch_first ? swapped(above) : above, c.tensor("/grads/input"), atol));
}

}  // namespace

TEST_CASE("by hand: networks of GRU, RNN and LSTM layers are PyTorch's", "[manual][oracle]") {
  for (const auto& [family, count] : {std::pair{"gru", 13}, std::pair{"rnn", 26}, std::pair{"lstm", 27}}) {
    CHECK(oracle::cases(family).size() == static_cast<std::size_t>(count));
    for (const Case& c : oracle::cases(family)) {
      INFO(family << "/" << c.name());
      check_case(c);
    }
  }
}

TEST_CASE("by hand: the variants of the LSTM and the GRU with the reset before the product", "[manual][oracle]") {
  std::size_t count = 0;
  for (const Case& c : oracle::cases("lstm_variants")) {
    const auto cell = c.get<std::string>("/config/cell");
    if (cell == "source003") continue;
    ++count;
    INFO(c.name());
    const auto at = [&](const std::string& name) {
      return c.has("/params/" + name) ? c.tensor("/params/" + name) : Array<double>();
    };
    Sequences sequences{{}, c.get<bool>("/config/reverse")};
    if (c.has("/config/lengths")) sequences.lengths = c.get<std::vector<std::size_t>>("/config/lengths");
    const Array<double> x = c.tensor("/input"), h0 = c.tensor("/h0");
    const Array<double> direct =
        c.tensor("/loss_weights/output") + 2 * c.get<double>("/loss_quadratic") * c.tensor("/output");
    Arrays got{};
    if (cell == "gru_reset_before") {
      const GruWeights<double> w{at("Wx"), at("Wh"), at("bx"), at("bh"), false};
      const auto f = gru_forward(w, x, h0, sequences);
      const auto b = gru_backward(w, f, direct, c.tensor("/loss_weights/h_n"), sequences);
      got = {{"/output", f.h},
             {"/h_n", f.h_n},
             {"/grads/params/Wx", b.dWx},
             {"/grads/params/Wh", b.dWh},
             {"/grads/params/bx", b.dbx},
             {"/grads/params/bh", b.dbh},
             {"/grads/input", b.dx},
             {"/grads/h0", b.dh0}};
    } else {
      LstmVariant v{.peephole = c.get<bool>("/config/peephole"),
                    .coupled = c.get<bool>("/config/coupled"),
                    .projection = c.get<std::size_t>("/config/proj_size") > 0,
                    .sequences = sequences};
      if (c.has("/config/layernorm")) {
        v.norm_groups = c.get<std::size_t>("/config/layernorm/groups");
        v.carry = c.get<bool>("/config/layernorm/carry");
        v.eps = c.get<double>("/config/layernorm_eps");
      }
      const LstmVariantWeights<double> w{at("Wx"),
                                         at("Wh"),
                                         at("b"),
                                         at("pi"),
                                         at("pf"),
                                         at("po"),
                                         at("Wp"),
                                         {at("gx"), at("bx")},
                                         {at("gh"), at("bh")},
                                         {at("gc"), at("bc")}};
      const auto f = lstm_variant_forward(v, w, x, h0, c.tensor("/c0"));
      const auto b =
          lstm_variant_backward(v, w, f, direct, c.tensor("/loss_weights/h_n"), c.tensor("/loss_weights/c_n"));
      const auto& d = b.weights;
      got = {{"/output", f.h},       {"/h_n", f.h_n},      {"/c_n", f.c_n},
             {"/grads/input", b.dx}, {"/grads/h0", b.dh0}, {"/grads/c0", b.dc0}};
      const Arrays of_weights{{"Wx", d.Wx},      {"Wh", d.Wh},      {"b", d.b},        {"pi", d.pi},
                              {"pf", d.pf},      {"po", d.po},      {"Wp", d.Wp},      {"gx", d.nx.gain},
                              {"bx", d.nx.bias}, {"gh", d.nh.gain}, {"bh", d.nh.bias}, {"gc", d.nc.gain},
                              {"bc", d.nc.bias}};
      for (const std::string& name : c.keys("/params")) got["/grads/params/" + name] = of_weights.at(name);
    }
    for (const auto& [pointer, value] : got) {
      INFO(pointer);
      CHECK(agree(value, c.tensor(pointer)));
    }
  }
  CHECK(count == 12);
}

namespace {

/// A random variant as the tape computes it: everything by name, the pre-activations of every step among it.
struct OnTape {
  Tape<double> tape;
  std::map<std::string, Variable<double>> leaves;
  std::vector<std::map<std::string, Variable<double>>> steps;
  Variable<double> loss;

  Variable<double> leaf(const std::string& name, const Array<double>& value) {
    return leaves[name] = tape.variable(value);
  }
};

Variable<double> grouped_norm(Variable<double> a, std::size_t groups, double eps, Variable<double> gain,
                              Variable<double> bias) {
  const Shape shape = a.shape();
  const auto hat = layer_norm(reshape(a, {shape[0], groups, shape[1] / groups}), 1, eps);
  return reshape(hat, shape) * gain + bias;
}

}  // namespace

TEST_CASE("by hand: every combination of the variants equals the tape, down to the gates of every step", "[manual]") {
  constexpr std::size_t steps = 4, batch = 3, features = 2, hidden = 5, projected = 3;
  std::size_t combinations = 0;
  for (const bool peephole : {false, true})
    for (const bool coupled : {false, true})
      for (const bool projection : {false, true})
        for (const int norm : {0, 1, 2, 3})  // none, over everything, by gate, carried
          for (const bool lengths : {false, true})
            for (const bool reverse : {false, true}) {
              ++combinations;
              LstmVariant v{peephole, coupled, projection, 0, norm == 3, 1e-3, {{}, reverse}};
              v.norm_groups = norm == 0 ? 0 : norm == 2 ? v.gates() : 1;
              if (lengths) v.sequences.lengths = {2, 4, 0};
              CAPTURE(peephole, coupled, projection, norm, lengths, reverse);
              Generator generator(combinations);
              const std::size_t width = projection ? projected : hidden, rows = v.gates() * hidden;
              const auto draw = [&](const Shape& shape) { return random_array(shape, generator); };
              const auto maybe = [&](bool wanted, const Shape& shape) {
                return wanted ? draw(shape) : Array<double>();
              };
              const bool n = norm != 0;
              const LstmVariantWeights<double> w{draw({rows, features}),
                                                 draw({rows, width}),
                                                 draw({rows}),
                                                 maybe(peephole, {hidden}),
                                                 maybe(peephole && !coupled, {hidden}),
                                                 maybe(peephole, {hidden}),
                                                 maybe(projection, {projected, hidden}),
                                                 {maybe(n, {rows}), maybe(n, {rows})},
                                                 {maybe(n, {rows}), maybe(n, {rows})},
                                                 {maybe(n, {hidden}), maybe(n, {hidden})}};
              const Array<double> x = draw({steps, batch, features}), h0 = draw({batch, width}),
                                  c0 = draw({batch, hidden});
              const Array<double> direct = draw({steps, batch, width}), dh_n = draw({batch, width}),
                                  dc_n = draw({batch, hidden});

              OnTape on;
              Tape<double>& tape = on.tape;
              const auto Wx = on.leaf("Wx", w.Wx), Wh = on.leaf("Wh", w.Wh), b = on.leaf("b", w.b),
                         vx = on.leaf("x", x);
              Variable<double> r = on.leaf("h0", h0), c = on.leaf("c0", c0);
              Variable<double> pi, pf, po, Wp, gx, bx, gh, bh, gc, bc;
              if (peephole) pi = on.leaf("pi", w.pi), po = on.leaf("po", w.po);
              if (peephole && !coupled) pf = on.leaf("pf", w.pf);
              if (projection) Wp = on.leaf("Wp", w.Wp);
              if (n) {
                gx = on.leaf("gx", w.nx.gain), bx = on.leaf("bx", w.nx.bias);
                gh = on.leaf("gh", w.nh.gain), bh = on.leaf("bh", w.nh.bias);
                gc = on.leaf("gc", w.nc.gain), bc = on.leaf("bc", w.nc.bias);
              }
              Variable<double> loss = tape.constant(Shape{}, 0);
              on.steps.resize(steps);
              for (std::size_t k = 0; k < steps; ++k) {
                const std::size_t t = reverse ? steps - 1 - k : k;
                auto a = linear(select(vx, 0, static_cast<Index>(t)), Wx), d = linear(r, Wh);
                if (n)
                  a = grouped_norm(a, v.norm_groups, v.eps, gx, bx), d = grouped_norm(d, v.norm_groups, v.eps, gh, bh);
                const auto z = a + d + b;
                const auto gate = [&](std::size_t k) {
                  return 1 * slice(z, 1, static_cast<Index>(k * hidden), static_cast<Index>((k + 1) * hidden));
                };
                auto zi = gate(0), zf = gate(1), zg = gate(v.gates() - 2), zo = gate(v.gates() - 1);
                if (peephole) zi = zi + pi * c;
                if (peephole && !coupled) zf = zf + pf * c;
                const auto i = autograd::sigmoid(zi);
                const auto f = coupled ? 1 - i : autograd::sigmoid(zf);
                const auto cell = f * c + i * tanh(zg);
                auto next = cell, read = cell;
                if (n) read = grouped_norm(cell, 1, v.eps, gc, bc);
                if (v.carry) next = read;
                if (peephole) zo = zo + po * next;
                const auto h = autograd::sigmoid(zo) * tanh(read);
                const auto out = projection ? linear(h, Wp) : h;
                Array<double> reaches = full<double>({batch, 1}, 1);
                if (lengths)
                  for (std::size_t row = 0; row < batch; ++row) reaches(row, 0) = t < v.sequences.lengths[row];
                const auto m = tape.constant(reaches);
                loss = loss + sum(m * out * select(tape.constant(direct), 0, static_cast<Index>(t)));
                r = where(m, out, r);
                c = where(m, next, c);
                on.steps[t] = {{"dzi", zi}, {"dzg", zg}, {"dzo", zo}, {"dh", h}, {"dc", cell}};
                if (!coupled) on.steps[t]["dzf"] = zf;
              }
              loss = loss + sum(r * tape.constant(dh_n)) + sum(c * tape.constant(dc_n));
              for (auto& step : on.steps)
                for (auto& [name, variable] : step) tape.watch(variable);
              tape.backward(loss);

              const auto forward = lstm_variant_forward(v, w, x, h0, c0);
              CHECK(distance(forward.h_n, r.copy()) <= 1e-14);
              CHECK(distance(forward.c_n, c.copy()) <= 1e-14);
              const auto back = lstm_variant_backward(v, w, forward, direct, dh_n, dc_n);
              const auto& d = back.weights;
              const Arrays by_hand{{"Wx", d.Wx},      {"Wh", d.Wh},      {"b", d.b},        {"pi", d.pi},
                                   {"pf", d.pf},      {"po", d.po},      {"Wp", d.Wp},      {"gx", d.nx.gain},
                                   {"bx", d.nx.bias}, {"gh", d.nh.gain}, {"bh", d.nh.bias}, {"gc", d.nc.gain},
                                   {"bc", d.nc.bias}, {"x", back.dx},    {"h0", back.dh0},  {"c0", back.dc0}};
              for (const auto& [name, variable] : on.leaves) {
                INFO(name);
                CHECK(distance(by_hand.at(name), tape.gradient(variable)) <= 1e-12);
              }
              const std::map<std::string, const Array<double>*> deltas{{"dzi", &back.dzi}, {"dzf", &back.dzf},
                                                                       {"dzg", &back.dzg}, {"dzo", &back.dzo},
                                                                       {"dh", &back.dh},   {"dc", &back.dc}};
              for (std::size_t t = 0; t < steps; ++t)
                for (const auto& [name, variable] : on.steps[t]) {
                  INFO(name << " at step " << t);
                  CHECK(distance(plane(*deltas.at(name), t), tape.gradient(variable)) <= 1e-12);
                }
            }
  CHECK(combinations == 128);
}

TEST_CASE("by hand: shapes that do not fit are refused", "[manual]") {
  const auto ones = [](const Shape& shape) { return full<double>(shape, 1); };
  const Array<double> x = ones({4, 2, 3}), h0 = ones({2, 5});
  const RnnWeights<double> rnn{ones({5, 3}), ones({5, 5}), ones({5})};
  CHECK_NOTHROW(rnn_forward(rnn, x, h0));
  CHECK(error_text<ShapeError>([&] {
          rnn_forward(rnn, ones({4, 2, 2}), h0);
        }) == "rnn_bptt: x is (4, 2, 2), expected (time, batch, 3)");
  CHECK(error_text<ShapeError>([&] {
          rnn_forward(rnn, x, h0, {{1, 2, 3}, false});
        }) == "rnn_bptt: 3 lengths for a batch of 2; give one for each sequence");
  CHECK(error_text<ShapeError>([&] {
          rnn_forward(rnn, x, h0, {{1, 5}, false});
        }) == "rnn_bptt: a length of 5 for 4 steps");
  CHECK_THROWS_AS(rnn_backward(rnn, rnn_forward(rnn, x, h0), ones({4, 2, 4}), h0), ShapeError);
  const GruWeights<double> gru{ones({15, 3}), ones({15, 5}), ones({15}), ones({15})};
  CHECK_NOTHROW(gru_forward(gru, x, h0));
  CHECK_THROWS_AS(gru_forward(gru, x, ones({3, 5})), ShapeError);
  CHECK_THROWS_AS(gru_forward({ones({14, 3}), ones({15, 5}), ones({15}), ones({15})}, x, h0), ShapeError);
  CHECK_THROWS_AS(gru_backward(gru, gru_forward(gru, x, h0), ones({4, 2, 5}), ones({2, 4})), ShapeError);
  const LstmVariantWeights<double> lstm{ones({20, 3}), ones({20, 5}), ones({20})};
  CHECK_NOTHROW(lstm_variant_forward({}, lstm, x, h0, h0));
  CHECK(error_text<ShapeError>([&] { lstm_variant_forward({.peephole = true}, lstm, x, h0, h0); }) ==
        "lstm_variant_bptt: pi is (), expected (5) for a hidden size of 5");
  CHECK_THROWS_AS(lstm_variant_forward({.projection = true}, lstm, x, h0, h0), ShapeError);
  CHECK_THROWS_AS(lstm_variant_forward({.norm_groups = 2}, lstm, x, h0, h0), ShapeError);
  CHECK_THROWS_AS(lstm_variant_forward({.norm_groups = 1}, lstm, x, h0, h0), ShapeError);
  CHECK_THROWS_AS(lstm_variant_forward({.coupled = true}, lstm, x, h0, h0), ShapeError);
  CHECK_THROWS_AS(
      lstm_variant_backward({}, lstm, lstm_variant_forward({}, lstm, x, h0, h0), ones({4, 2, 5}), h0, ones({2, 6})),
      ShapeError);
}
