// What the gradient audit can do: false alarms, mistakes named, the smallest factor it sees, and how long it takes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>

#include "autograd/error.hpp"
#include "nn/audit/audit.hpp"
#include "nn/audit/mistakes.hpp"
#include "nn/audit/stock.hpp"

using namespace nn::audit;

namespace {

using Random = std::mt19937_64;
using Arrays = std::map<std::string, Matrix>;

std::size_t between(Random& random, std::size_t low, std::size_t high) { return low + random() % (high - low + 1); }

Setup random_setup(Random& random, std::size_t least_steps, std::size_t most_steps, bool every) {
  return {.steps = between(random, least_steps, most_steps),
          .batch = between(random, 1, 4),
          .input = between(random, 1, 5),
          .hidden = between(random, 1, 6),
          .seed = random(),
          .loss = every || random() % 2 ? ReadBy::every_step : ReadBy::last_step,
          .zero_state = !every && random() % 4 == 0};
}

/// The weights' and biases' gradients that a derivation of the LSTM gives.
std::optional<Arrays> run(const Derivation& derivation, const Truth& truth) {
  Arrays arrays;
  try {
    Evaluation evaluation(derivation, truth.values, Mode::cumulative);
    for (const char gate : truth.gates)
      for (const char* name : {"dWx", "dWh", "db"}) {
        const std::string block = name + std::string(1, gate);
        arrays[block] = evaluation.value(block, 0);
        if (!arrays[block].same_shape(truth.values.find(block)->whole())) return {};
        if (!std::isfinite(norm(arrays[block].values))) return {};
      }
  } catch (const autograd::FormatError&) {
    return {};
  }
  return arrays;
}

bool differ(const Arrays& a, const Arrays& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& entry) {
    const Matrix& other = b.at(entry.first);
    return distance(entry.second, other) > 1e-8 * (norm(entry.second.values) + norm(other.values));
  });
}

struct Made {
  Derivation derivation;
  std::string text;
};

/// The right derivation with one more mistake in one of the equations that the weights' gradients come from.
Made with_mistake(const Made& before, const Truth& truth, Random& random) {
  const Derivation& right = stock_derivation("lstm");
  static const std::vector<std::string> names{"dh", "dc", "dzi", "dzf", "dzg", "dzo", "dWx", "dWh", "db"};
  for (;;) {
    const std::size_t k = random() % right.equations.size();
    Equation equation = before.derivation.equations[k];
    const bool used = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return equation.name == name ||
             (name.size() > 1 && equation.name.size() == name.size() + 1 && equation.name.starts_with(name) &&
              name[1] != 'z' && name != "dh" && name != "dc");
    });
    if (!used || !equal(equation.formula, right.equations[k].formula)) continue;
    const auto all = mistakes(equation, {truth.values, truth.gates, &right});
    const Mistake& mistake = all[random() % all.size()];
    Made made = before;
    made.derivation.equations[k].formula = mistake.formula;
    made.text += (made.text.empty() ? "" : "; and ") + equation.left() + ": " + mistake.text;
    return made;
  }
}

/// Whether the audit of the arrays names what was done: by its words, or by others that give the same arrays.
bool names(const Arrays& arrays, const Truth& truth, const std::string& text) {
  const Report report = audit_arrays(arrays, truth);
  for (const Term& term : report.terms)
    if (!term.agrees) {
      if (term.causes.empty()) return false;
      const auto& causes = term.causes;
      // Every cause that is listed gives just these arrays: the one that was made must be among them.
      return std::find(causes.begin(), causes.end(), text) != causes.end() || text.find("; and ") != std::string::npos;
    }
  return false;
}

void report(const char* what, std::size_t good, std::size_t all, double seconds) {
  fmt::print("{:58} {:>7} of {:<7} {:8.2f} %  {:7.1f} s\n", what, good, all,
             100.0 * static_cast<double>(good) / static_cast<double>(all), seconds);
  std::fflush(stdout);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Counts what the gradient audit finds in random runs with mistakes made on purpose."};
  std::size_t correct = 100000, single = 2000, pairs = 200;
  app.add_option("--correct", correct, "right derivations")->capture_default_str();
  app.add_option("--single", single, "single mistakes, from the final dW and db alone")->capture_default_str();
  app.add_option("--pairs", pairs, "pairs of mistakes, from the final dW and db alone")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Random random(1);
  const auto clock = [] { return std::chrono::steady_clock::now(); };

  auto start = clock();
  std::size_t quiet = 0;
  for (std::size_t k = 0; k < correct; ++k) {
    const std::string& cell = stock_cells()[k % stock_cells().size()];
    const Truth truth = stock_truth(cell, random_setup(random, 1, 12, false));
    const bool agrees = audit(stock_derivation(cell), truth).agrees;
    if (!agrees && correct - quiet < 5) fmt::print("flagged: {}\n", cell);
    quiet += agrees;
  }
  report("right derivations of all cells that are left in peace", quiet, correct, seconds_since(start));

  for (const bool two : {false, true}) {
    start = clock();
    std::size_t found = 0, made_count = 0;
    while (made_count < (two ? pairs : single)) {
      Setup setup = random_setup(random, 3, 6, true);
      setup.hidden = between(random, 2, 4);
      const Truth truth = stock_truth("lstm", setup);
      Made made = with_mistake({stock_derivation("lstm"), ""}, truth, random);
      const auto right = run(stock_derivation("lstm"), truth), one = run(made.derivation, truth);
      if (!one || !differ(*one, *right)) continue;  // invisible in this run, or of other shapes
      if (two) {
        made = with_mistake(made, truth, random);
        const auto both = run(made.derivation, truth);
        if (!both || !differ(*both, *one) || !differ(*both, *right)) continue;
      }
      ++made_count;
      const bool named = names(*run(made.derivation, truth), truth, made.text);
      if (!named && !two) fmt::print("not named: {}\n", made.text);
      found += named;
    }
    report(two ? "two mistakes explained from the final dW and db" : "single mistakes named from the final dW and db",
           found, made_count, seconds_since(start));
  }

  start = clock();
  std::size_t seen = 0;
  const std::size_t factors = 1000;
  for (std::size_t k = 0; k < factors; ++k) {
    const Truth truth = stock_truth("lstm", random_setup(random, 3, 10, true));
    const Quantity &dc = *truth.values.find("dc"), &f = *truth.values.find("f");
    Derivation hand = parse("dc[t] = dh[t] * o[t] * (1 - tanh(c[t])**2) + 1.000000001 * dc[t+1] * f[t+1]");
    double share = 0;  // of the term with the factor, in all of dc
    for (int t = 1; t < truth.values.steps; ++t)
      share = std::max(share, norm((dc[t + 1] * f[t + 1]).values) / norm(dc[t].values));
    seen += share < 0.01 || !audit(hand, truth).agrees;
  }
  report("factors of 1 + 1e-9 seen in a term of 1 % and more", seen, factors, seconds_since(start));

  for (const auto& [steps, hidden] : {std::pair<std::size_t, std::size_t>{7, 5}, {50, 16}, {200, 64}}) {
    std::vector<double> times;
    for (int round = 0; round < 5; ++round) {
      start = clock();
      audit(stock_derivation("lstm"), stock_truth("lstm", {.steps = steps, .batch = 3, .hidden = hidden}));
      times.push_back(seconds_since(start));
    }
    std::sort(times.begin(), times.end());
    fmt::print("an audit of the LSTM with H = {}, T = {}, its run included: {:.3f} s (median of 5)\n", hidden, steps,
               times[2]);
  }
}
