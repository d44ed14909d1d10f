// A training step of cells that nobody has built in: written by a user, the same op by op, and in libtorch's ops.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "libtorch_training.hpp"
#include "wengert_training.hpp"

namespace {

using namespace benchmark;

/// A gated recurrent unit that resets after the product, without a bias there:
///
///   r = sigmoid(xr + pr),   u = sigmoid(xu + pu),   n = tanh(xn + r pn),   h = n + u (h' - n),   p = h' U^T
template <class T, bool Fused>
struct Gru : CellParameters<T> {
  using CellParameters<T>::CellParameters;

  Variable<T> step(Variable<T> projected, Variable<T> h) {
    constexpr auto update = as_steps<Fused>([](auto xr, auto xu, auto xn, auto pr, auto pu, auto pn, auto h) {
      auto n = tanh(xn + sigmoid(xr + pr) * pn);
      return n + sigmoid(xu + pu) * (h - n);
    });
    const auto [xr, xu, xn] = gates_of<Fused, 3>(projected);
    const auto [pr, pu, pn] = gates_of<Fused, 3>(linear(h, h.tape().parameter(this->weight_hh)));
    return update(xr, xu, xn, pr, pu, pn, h);
  }

  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(this->project(x), h); }
  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const { return this->zeros(tape, batch); }
};

/// A minimal gated unit (Zhou, Wu, Zhang and Zhou 2016), whose second product reads what the first has gated:
///
///   f = sigmoid(xf + h' Uf^T),   n = tanh(xn + (f h') Un^T),   h = h' + f (n - h')
template <class T, bool Fused>
struct MinimalGated {
  Parameter<T> weight_ih, weight_hf, weight_hn, bias;

  MinimalGated(const typename Problem<T>::Layer& layer, std::size_t hidden)
      : weight_ih(array_of(layer.weight_ih, {2 * hidden, layer.weight_ih.size() / (2 * hidden)})),
        weight_hf(half(layer.weight_hh, 0, hidden)),
        weight_hn(half(layer.weight_hh, 1, hidden)),
        bias(array_of(layer.bias, {2 * hidden})) {}

  Variable<T> project(Variable<T> x) { return linear(x, x.tape().parameter(weight_ih), x.tape().parameter(bias)); }

  Variable<T> step(Variable<T> projected, Variable<T> h) {
    constexpr auto forget = as_steps<Fused>([](auto xf, auto pf, auto h) {
      auto f = sigmoid(xf + pf);
      return std::tuple{f, f * h};
    });
    constexpr auto update =
        as_steps<Fused>([](auto xn, auto pn, auto f, auto h) { return h + f * (tanh(xn + pn) - h); });
    Tape<T>& tape = h.tape();
    const auto [xf, xn] = gates_of<Fused, 2>(projected);
    const auto [f, kept] = forget(xf, linear(h, tape.parameter(weight_hf)), h);
    return update(xn, linear(kept, tape.parameter(weight_hn)), f, h);
  }

  Variable<T> operator()(Variable<T> x, Variable<T> h) { return step(project(x), h); }

  Variable<T> zero_state(Tape<T>& tape, std::size_t batch) const {
    return tape.constant({batch, weight_hf.value().shape(0)}, T(0));
  }

  static void visit(auto& self, auto&& visitor) {
    visitor("weight_ih", self.weight_ih);
    visitor("weight_hf", self.weight_hf);
    visitor("weight_hn", self.weight_hn);
    visitor("bias", self.bias);
  }

 private:
  static Array<T> half(const std::vector<T>& weight, std::size_t which, std::size_t hidden) {
    const T* const begin = weight.data() + which * hidden * hidden;
    return array_of(std::vector<T>(begin, begin + hidden * hidden), {hidden, hidden});
  }
};

template <class T, template <class, bool> class C>
void compare(const char* name, Unit unit, int gates, const Sizes& sizes, const TrainingOptions& options,
             Report& report) {
  const Problem<T> problem(sizes, gates);
  std::vector<Contestant> contestants;
  for (const int threads : options.threads) {
    contestants.push_back(wengert_training<T, Stack<C<T, true>, T>>("user", problem, threads));
    contestants.push_back(wengert_training<T, Stack<C<T, false>, T>>("op_by_op", problem, threads));
    for (const Cell cell : {Cell::user, Cell::stock})
      if (auto peer = libtorch_training(unit, cell, problem, threads)) contestants.push_back(std::move(*peer));
  }
  constexpr bool use_double = std::is_same_v<T, double>;
  const Measurement measured(std::move(contestants), training_flops(sizes, gates), use_double, options.rounds);
  measured.add_rows(report, sizes, name);
  for (const int threads : options.threads) {
    const auto us = [&](const char* engine, const char* cell) { return measured.median_us(engine, cell, threads); };
    const auto ours = us("wengert", "user"), theirs = us("libtorch", "user");
    report.line({to_string(sizes), name, use_double ? "double" : "float", std::to_string(threads), text(ours, 1),
                 text(us("wengert", "op_by_op"), 1), text(theirs, 1), text(us("libtorch", "stock"), 1),
                 text(measured.limit_us(threads), 1), text(ratio(theirs, ours), 2, "x")});
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times a training step of a user's cells beside the same in libtorch's ops, taking turns."};
  TrainingOptions options;
  add_training_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version()});
  Report report(options, "custom_cell",
                {"T, B, I, H, layers", "unit", "dtype", "threads", "user, us", "op by op", "libtorch's user",
                 "its stock", "limit", "speedup"});
  for (const Sizes& point : parse_grid(options.grid))
    for (const std::string& dtype : options.dtypes) {
      const auto both = [&]<class T>(T) {
        compare<T, Gru>("gru", Unit::gru, 3, point, options, report);
        compare<T, MinimalGated>("mgu", Unit::minimal_gated, 2, point, options, report);
      };
      dtype == "double" ? both(double()) : both(float());
    }
  report.finish();
}
