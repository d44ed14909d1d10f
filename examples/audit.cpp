// Is a hand-derived backward pass right? Reads one from a file, and says which term is wrong, where, and why.
#include "nn/audit/audit.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "audit/arrays.hpp"
#include "autograd/error.hpp"
#include "autograd/number_text.hpp"
#include "autograd/version.hpp"
#include "command_line.hpp"
#include "nn/audit/flow.hpp"
#include "nn/audit/html.hpp"
#include "nn/audit/stock.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"
#include "program.hpp"

using namespace nn::audit;

namespace {

nlohmann::ordered_json to_json(const Report& report) {
  nlohmann::ordered_json terms = nlohmann::json::array();
  for (const Term& term : report.terms) {
    nlohmann::ordered_json entry{{"term", term.term},
                                 {"line", term.line},
                                 {"agrees", term.agrees},
                                 {"decided", term.decided},
                                 {"digits", term.digits}};
    entry["first_t"] = term.first_t ? nlohmann::json(*term.first_t) : nlohmann::json();
    entry["gate"] = term.gate.empty() ? nlohmann::json() : nlohmann::json(term.gate);
    entry["factor"] = term.factor ? nlohmann::json(*term.factor) : nlohmann::json();
    entry["causes"] = term.causes;
    terms.push_back(std::move(entry));
  }
  return {{"agrees", report.agrees},           {"verdict", report.verdict},
          {"terms", std::move(terms)},         {"not_given", report.not_given},
          {"mistakes_tried", report.tried},    {"all_mistakes_tried", report.all_tried},
          {"blind_spots", report.blind_spots}, {"detectable_factor", report.detectable_factor}};
}

/// 1 + 2e-13 without losing the 2e-13.
std::string factor_text(double factor) { return fmt::format("1 + {:.1e}", factor - 1); }

/// The recurrent layer of a model file that is of this kind of cell, and its sizes.
void take_weights(const std::string& path, const std::string& cell, Setup& setup) {
  using Kind = nn::io::Layer::Kind;
  const nn::io::Network network = nn::io::load(path);
  for (const nn::io::Layer& layer : network.layers) {
    const bool fits = (cell == "lstm" && layer.kind == Kind::lstm && layer.projection() == 0) ||
                      (cell == "gru" && layer.kind == Kind::gru && layer.reset_after) ||
                      (cell == "gru_reset_before" && layer.kind == Kind::gru && !layer.reset_after) ||
                      (cell == "rnn" && layer.kind == Kind::rnn && layer.activation == nn::Nonlinearity::tanh);
    if (!fits) continue;
    setup.input = layer.input_size;
    setup.hidden = layer.size;
    const nn::io::Arrays& arrays = layer.directions[0];
    const std::size_t rows = layer.gates() * layer.size;
    const auto give = [&](const char* name, const nn::io::Tensor& tensor, const autograd::Shape& shape) {
      Array<double> array = autograd::zeros<double>(shape);
      if (!tensor.empty()) std::copy(tensor.values.begin(), tensor.values.end(), array.data());
      setup.parameters.emplace(name, std::move(array));
    };
    give("weight_ih", arrays.weight_ih, {rows, layer.input_size});
    give("weight_hh", arrays.weight_hh, {rows, layer.size});
    give("bias_ih", arrays.bias_ih, {rows});
    give("bias_hh", arrays.bias_hh, {rows});
    return;
  }
  throw autograd::FormatError(path + ": there is no layer of " + cell + " cells in it");
}

/// One sequence: a row of comma-separated numbers for every step.
Array<double> read_sequence(const std::string& path, std::size_t input) {
  std::string bytes = nn::io::read_file(path);
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.erase(0, 3);
  std::istringstream text(bytes);
  std::vector<double> values;
  std::size_t line = 0, rows = 0;
  for (std::string row; std::getline(text, row);) {
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::istringstream fields(row + ',');  // so that one after the last comma is there, too
    std::size_t column = 0;
    for (std::string field; std::getline(fields, field, ',');) {
      ++column;
      const std::size_t first = std::min(field.find_first_not_of(" \t"), field.size());
      const std::size_t end = field.find_last_not_of(" \t\r") + 1;
      const auto value = autograd::number_from_text(std::string_view(field).substr(first, end - std::min(first, end)));
      if (!value || !std::isfinite(*value))
        throw autograd::FormatError(fmt::format("{}:{}: field {} is \"{}\", not a number", path, line, column, field));
      values.push_back(*value);
    }
    if (column != input)
      throw autograd::FormatError(fmt::format("{}:{}: {} numbers, and the cell reads {}", path, line, column, input));
    ++rows;
  }
  if (rows == 0) throw autograd::FormatError(path + ": there is no row of numbers in it");
  Array<double> x = autograd::zeros<double>({rows, 1, input});
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

/// What a program of one's own needs to compute the same gradients: the run's input, states, weights, and the
/// derivative of its loss by each output.
void write_problem(const std::string& path, const Truth& truth) {
  nlohmann::ordered_json problem;
  for (const auto& [name, quantity] : truth.values.named) {
    const bool given = name == "x" || name == "direct_h" || (!quantity.steps && name[0] != 'd');
    if (!given) continue;
    const Matrix& first = quantity.at[0];
    std::vector<std::size_t> shape{first.rows, first.columns};
    std::vector<double> data;
    if (quantity.steps) shape.insert(shape.begin(), quantity.at.size());
    for (const Matrix& at : quantity.at) data.insert(data.end(), at.values.begin(), at.values.end());
    problem[name] = {{"shape", shape}, {"data", data}};
  }
  nn::io::replace_file(path, problem.dump() + "\n");
}

void print(const Report& report, const Setup& setup) {
  const bool coloured = isatty(STDOUT_FILENO);
  const auto paint = [&](const char* code, const std::string& text) {
    return coloured ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
  };
  fmt::print("{}\n\n", paint(report.agrees ? "1;32" : "1;31", report.verdict));
  fmt::print("cell {}, T={}, batch {}, input {}, hidden {}, seed {}, {}\n", report.cell, setup.steps, setup.batch,
             setup.input, setup.hidden, setup.seed,
             report.mode == Mode::isolated ? "every formula on true values" : "the derivation on its own values");
  for (const std::string& spot : report.blind_spots) fmt::print("{} {}\n", paint("33", "blind spot:"), spot);
  fmt::print("\nline  term      digits  by step, t = 1 ...\n");
  for (const Term& term : report.terms) {
    std::string steps;
    for (std::size_t k = 0; k < term.step_digits.size() && k < 20 && term.step_digits.size() > 1; ++k)
      steps += fmt::format("{:3.0f}",
                           std::floor(report.mode == Mode::isolated ? term.step_digits[k] : term.cumulative_digits[k]));
    fmt::print("{:4}  {:8}  {:6.1f} {}{}\n", term.line, term.term, term.digits, term.agrees ? " " : paint("31", "x"),
               steps);
    for (const std::string& cause : term.causes) fmt::print("      {}\n", cause);
    if (term.factor) fmt::print("      it is {:.6g} times the true one\n", *term.factor);
    if (!term.agrees && term.causes.empty() && !term.factor) fmt::print("      no known mistake explains it\n");
  }
  fmt::print("\ngradients of the cell that are not given, and not compared: {}\n",
             report.not_given.empty() ? "none" : fmt::format("{}", fmt::join(report.not_given, ", ")));
  if (report.detectable_factor > 1)
    fmt::print("a factor of {} in any term would have been seen\n", factor_text(report.detectable_factor));
  if (!report.all_tried)
    fmt::print(
        "causes: the first {} mistakes were tried, and there are more; where none is named, it may be one of them\n",
        report.tried);
  if (report.complex_error >= 0)
    fmt::print("the gradient compared with differs from the complex step by {:.1e} of its norm\n",
               report.complex_error);
}

void print(const Flow& flow) {
  fmt::print("\nwhere the gradient comes from: % through c[t+1] / through h[t+1] / from the loss at t\n   t");
  for (const auto& [name, shares] : flow.shares) fmt::print("{:>16}", name);
  for (const auto& [name, norms] : flow.norms) fmt::print("{:>12}", "|" + name + "|");
  const std::size_t steps = flow.norms.begin()->second.size();
  for (std::size_t t = steps; t-- > 0;) {
    if (steps > 24 && t < steps - 20 && t > 1) continue;
    fmt::print("\n{:4}", t + 1);
    for (const auto& [name, shares] : flow.shares)
      fmt::print("{:>16}", fmt::format("{:.0f} / {:.0f} / {:.0f}", 100 * shares[t].through_c, 100 * shares[t].through_h,
                                       100 * shares[t].direct));
    for (const auto& [name, norms] : flow.norms) fmt::print("{:12.3g}", norms[t]);
  }
  fmt::print("\n\nthe derivative of a loss at the last step falls to 1/e within {} steps\nsaturated:", flow.memory);
  for (const auto& [gate, share] : flow.saturation) fmt::print(" {} {:.0f} %", gate, 100 * share);
  fmt::print("\n\ntruncated to pieces of   cosine   relative error\n");
  for (const Truncation& cut : flow.truncation)
    fmt::print("{:20}   {:6.4f}   {:14.2g}\n", cut.k, cut.cosine, cut.relative_error);
}

int run(int argc, char** argv) {
  CLI::App app{"Holds a hand-derived backward pass to autograd: says which term is wrong, at which step, and why."};
  app.set_version_flag("--version", autograd::build_description());
  std::string file, cell, weights, data, html, problem, loss = "every";
  Setup setup;
  bool json = false, isolated = false, cumulative = false, mutants = false, flow = false;
  app.add_option("file", file, "a derivation, as docs/derivations.md describes, or a JSON file of finished gradients")
      ->required();
  app.add_option("--cell", cell, "its cell, if the file does not name one; lstm if neither does");
  auto* const steps = app.add_option("--steps", setup.steps, "time steps")
                          ->check(whole_number)
                          ->check(CLI::Range(1, 100000))
                          ->capture_default_str();
  auto* const batch = app.add_option("--batch", setup.batch, "sequences")
                          ->check(whole_number)
                          ->check(CLI::Range(1, 100000))
                          ->capture_default_str();
  auto* const input = app.add_option("--input", setup.input, "input features")
                          ->check(whole_number)
                          ->check(CLI::Range(1, 100000))
                          ->capture_default_str();
  auto* const hidden = app.add_option("--hidden", setup.hidden, "hidden units")
                           ->check(whole_number)
                           ->check(CLI::Range(1, 100000))
                           ->capture_default_str();
  app.add_option("--seed", setup.seed, "of weights, inputs and loss")->check(whole_number)->capture_default_str();
  app.add_option("--loss", loss, "what the loss reads")->check(CLI::IsMember({"every", "last"}))->capture_default_str();
  app.add_flag("--zero-state", setup.zero_state, "start from zeros, not from a random state");
  app.add_option("--weights", weights, "a model file, in any format that `convert` reads, instead of random weights")
      ->excludes(input)
      ->excludes(hidden);
  app.add_option("--data", data, "a CSV file without a header, a row for each step, instead of a random sequence")
      ->excludes(steps)
      ->excludes(batch);
  app.add_option("--problem", problem, "write the run's numbers, for a program that computes the gradients");
  app.add_option("--html", html, "write a report for a browser");
  auto* const object = app.add_flag("--json", json, "print one JSON object");
  app.add_flag("--flow", flow, "print where gradient comes from, how far it reaches, and what truncation does to it")
      ->excludes(object);
  app.add_flag("--mutants", mutants, "print how many single mistakes in this derivation this run would notice")
      ->excludes(object);
  auto* const alone = app.add_flag("--isolated", isolated, "every formula on true values (the default)");
  app.add_flag("--cumulative", cumulative, "the derivation on its own values")->excludes(alone);
  if (const auto status = parse(app, argc, argv)) return *status;
  const auto same = [](const std::string& a, const std::string& b) {
    std::error_code none;
    return a == b || std::filesystem::equivalent(a, b, none);
  };
  for (const std::string& written : {html, problem})
    if (!written.empty() && same(written, file))
      throw autograd::ValueError(written + " is the file that is read; name another one to be written");
  if (!html.empty() && !problem.empty() && same(html, problem))
    throw autograd::ValueError("--html and --problem name one file, " + html + "; name two");
  setup.loss = loss == "every" ? ReadBy::every_step : ReadBy::last_step;
  const std::string text = nn::io::read_file(file);
  const std::size_t begin = text.find_first_not_of(" \t\r\n", text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  const bool finished = begin != std::string::npos && text[begin] == '{';
  if (finished && (cumulative || mutants))
    throw autograd::ValueError(file + " has finished gradients, no formulas: " +
                               (mutants ? "--mutants" : "--cumulative") + " is of a derivation");
  const Derivation derivation = finished ? Derivation() : parse(text, file);
  if (is_stock(cell) && !derivation.cell.empty() && cell != derivation.cell)
    throw autograd::ValueError(file + " is of the cell " + derivation.cell + ", and --cell says " + cell);
  if (cell.empty()) cell = derivation.cell.empty() ? "lstm" : derivation.cell;
  if (!weights.empty()) take_weights(weights, cell, setup);
  if (!data.empty()) {
    setup.x = read_sequence(data, setup.input);
    setup.steps = setup.x->shape(0);
    setup.batch = 1;
  }
  const Truth truth = stock_truth(cell, setup);
  if (!problem.empty()) write_problem(problem, truth);
  const Report report = finished ? audit_arrays(read_arrays(text, file), truth)
                                 : audit(derivation, truth, cumulative ? Mode::cumulative : Mode::isolated);
  if (json)
    std::cout << to_json(report).dump(2) << '\n';
  else
    print(report, setup);
  if (!html.empty()) {
    nn::io::replace_file(html, to_html(report, flow_of(truth, stock_derivation(cell)), "Audit of " + file));
    if (!json) fmt::print("report: {}\n", html);
  }
  if (flow) print(flow_of(truth, stock_derivation(cell)));
  if (mutants) {
    const MutationScore score = mutation_score(derivation, truth);
    fmt::print("of {} single mistakes in this derivation this run notices {}\n", score.made, score.noticed);
    for (const std::string& text : score.unnoticed) fmt::print("  not: {}\n", text);
  }
  return report.agrees ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("audit", 2, [&] { return run(argc, argv); });
}
