// What an elementwise function costs per element, in the caches and in memory, beside xsimd's own and libtorch's.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <xsimd/xsimd.hpp>

#include "autograd/autograd.hpp"
#include "libtorch_elementwise.hpp"
#include "libtorch_training.hpp"

namespace {

using namespace benchmark;

/// An op of the tape, recorded and forgotten each time.
template <class T, class F>
Contestant on_tape(const char* name, const std::vector<T>& values, F f) {
  struct State {
    autograd::Tape<T> tape;
    autograd::Variable<T> x, y;
    typename autograd::Tape<T>::Mark mark;
  };
  auto state = std::make_shared<State>();
  autograd::Array<T> array = autograd::make_array<T>({values.size()});
  std::copy(values.begin(), values.end(), array.data());
  state->x = state->tape.constant(array);
  state->mark = state->tape.mark();
  return {.engine = "wengert",
          .name = name,
          .work =
              [state, f] {
                state->tape.rewind(state->mark);
                state->y = f(state->x);
              },
          .results = [state]() -> std::vector<double> {
            const auto y = state->y.value();
            return {double(y(0)), double(y(y.size() - 1))};
          }};
}

/// xsimd's function in a plain loop.
template <class T, class F>
Contestant in_registers(const char* name, const std::vector<T>& values, F f) {
  using Vector = std::vector<T, xsimd::aligned_allocator<T, 64>>;
  struct State {
    Vector x, y;
  };
  auto state = std::make_shared<State>(State{Vector(values.begin(), values.end()), Vector(values.size())});
  return {.engine = "xsimd",
          .name = name,
          .work =
              [state, f] {
                using Batch = xsimd::batch<T>;
                const T* const x = state->x.data();
                T* const y = state->y.data();
                for (std::size_t at = 0; at < state->x.size(); at += Batch::size)
                  f(Batch::load_aligned(x + at)).store_aligned(y + at);
              },
          .results = [state]() -> std::vector<double> {
            return {double(state->y.front()), double(state->y.back())};
          }};
}

template <class T>
class Comparison {
 public:
  Comparison(const char* place, std::size_t elements, const Options& options, Report& report)
      : place_(place), elements_(elements), options_(options), report_(report) {}

  /// On numbers of [low, high).
  template <class F, class G>
  void run(const char* name, double low, double high, F ours, G in_xsimd) const {
    std::mt19937 generator(1);
    std::uniform_real_distribution<T> distribution{T(low), T(high)};
    std::vector<T> x(elements_);
    for (T& value : x) value = distribution(generator);
    std::vector<Contestant> contestants{on_tape(name, x, ours), in_registers(name, x, in_xsimd)};
    if (auto peer = libtorch_elementwise(name, x)) contestants.push_back(std::move(*peer));
    const std::vector<Times> times = take_turns(contestants, options_.rounds);
    check_results(contestants, 64 * std::numeric_limits<T>::epsilon());
    const char* dtype = std::is_same_v<T, double> ? "double" : "float";
    std::vector<std::string> cells{name, dtype, place_, std::to_string(elements_)};
    for (std::size_t k = 0; k < times.size(); ++k) {
      const double ns = times[k].median_us * 1e3 / static_cast<double>(elements_);
      cells.push_back(text(ns, 3));
      report_.row({{"engine", contestants[k].engine},
                   {"function", name},
                   {"place", place_},
                   {"elements", elements_},
                   {"dtype", dtype},
                   {"threads", 1},
                   {"median_us", times[k].median_us},
                   {"ns_per_element", ns}});
    }
    report_.line(cells);
  }

 private:
  const char* place_;
  std::size_t elements_;
  const Options& options_;
  Report& report_;
};

template <class T>
void compare_all(const Options& options, Report& report) {
  // Two operands of these sizes fit where they are said to be.
  for (const auto& [place, kilobytes] : {std::pair{"L1", 8}, std::pair{"L2", 128}, std::pair{"memory", 65536}}) {
    const Comparison<T> comparison(place, std::size_t(kilobytes) * 1024 / sizeof(T), options, report);
    comparison.run(
        "exp", -8, 8, [](auto x) { return exp(x); }, [](auto x) { return xsimd::exp(x); });
    comparison.run(
        "expm1", -8, 8, [](auto x) { return expm1(x); }, [](auto x) { return xsimd::expm1(x); });
    comparison.run(
        "log", 0.01, 8, [](auto x) { return log(x); }, [](auto x) { return xsimd::log(x); });
    comparison.run(
        "log1p", -0.9, 8, [](auto x) { return log1p(x); }, [](auto x) { return xsimd::log1p(x); });
    comparison.run(
        "tanh", -4, 4, [](auto x) { return tanh(x); }, [](auto x) { return xsimd::tanh(x); });
    comparison.run(
        "sigmoid", -8, 8, [](auto x) { return sigmoid(x); }, [](auto x) { return 1 / (1 + xsimd::exp(-x)); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times elementwise functions beside xsimd's and libtorch's, one thread, taking turns."};
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);

  print_environment(options, {libtorch_version()});
  Report report(options, "elementwise",
                {"function", "dtype", "place", "elements", "Wengert, ns per element", "xsimd", "libtorch"});
  compare_all<float>(options, report);
  compare_all<double>(options, report);
  report.finish();
}
