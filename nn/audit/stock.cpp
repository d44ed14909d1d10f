#include "nn/audit/stock.hpp"

#include <map>

#include "autograd/autograd.hpp"
#include "autograd/error.hpp"
#include "nn/audit/input_gated_cell.hpp"
#include "nn/initialize.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm_variant_cell.hpp"
#include "nn/recurrent/lstm_variants.hpp"
#include "nn/recurrent/minimal_gated_cell.hpp"
#include "nn/recurrent/rnn.hpp"

namespace nn::audit {

using autograd::ValueError;

namespace detail {

/// Name and text of every file, made by CMake from nn/audit/derivations/.
extern const std::map<std::string, const char*> derivation_files;

}  // namespace detail

namespace {

/// The numbers of a setup.
class Draw {
 public:
  explicit Draw(const Setup& setup) : setup_(setup), generator_(setup.seed) {
    if (setup.steps == 0 || setup.batch == 0 || setup.input == 0 || setup.hidden == 0)
      throw ValueError("audit: steps, batch, input and hidden must be positive, got " + std::to_string(setup.steps) +
                       ", " + std::to_string(setup.batch) + ", " + std::to_string(setup.input) + " and " +
                       std::to_string(setup.hidden));
  }

  Generator& generator() { return generator_; }
  Array<double> normal(const autograd::Shape& shape) { return nn::normal<double>(shape, 0, 1, generator_); }

  template <class C>
  Truth run(const std::string& name, C cell) {
    give_parameters(name, cell);
    const autograd::Shape expected{setup_.steps, setup_.batch, setup_.input};
    if (setup_.x && !(autograd::shape_of(*setup_.x) == expected))
      throw autograd::ShapeError("audit: x has shape " + to_string(autograd::shape_of(*setup_.x)) + ", expected " +
                                 to_string(expected) + ", that is (time, batch, input)");
    const Array<double> x = setup_.x ? *setup_.x : normal(expected);
    const auto initial = [&](const autograd::Shape& shape) {
      return setup_.zero_state ? autograd::zeros<double>(shape) : normal(shape);
    };
    std::optional<Array<double>> a;
    const Loss loss = [&](Variable<double> outputs) {
      if (!a) a = normal(outputs.shape());
      const Variable<double> each = outputs * outputs.tape().constant(*a) + 0.5 * square(outputs);
      return sum(setup_.loss == ReadBy::every_step ? each : select(each, 0, -1));
    };
    return truth_of(name, cell, x, initial, loss);
  }

 private:
  template <class C>
  void give_parameters(const std::string& name, C& cell) const {
    std::size_t taken = 0;
    for_each_parameter(cell, [&](const std::string& path, Parameter<double>& p) {
      const auto given = setup_.parameters.find(path);
      if (given == setup_.parameters.end()) return;
      if (!(autograd::shape_of(given->second) == p.shape()))
        throw autograd::ShapeError("audit: " + path + " has shape " + to_string(autograd::shape_of(given->second)) +
                                   ", expected " + to_string(p.shape()));
      p.update([&](auto& values) { values = given->second; });
      ++taken;
    });
    if (taken != setup_.parameters.size())
      throw ValueError("audit: " + name + " has not all of the " + std::to_string(setup_.parameters.size()) +
                       " parameters that were given");
  }

  const Setup& setup_;
  Generator generator_;
};

using Runner = Truth (*)(const std::string&, const Setup&);

template <auto make>
Truth run(const std::string& name, const Setup& setup) {
  Draw draw(setup);
  return draw.run(name, make(setup, draw.generator()));
}

CellOptions options(const Setup& setup) { return {setup.input, setup.hidden}; }

const std::map<std::string, Runner>& runners() {
  static const std::map<std::string, Runner> all{
      {"lstm", run<[](const Setup& s, Generator& g) {
         return LSTMCell<double>({.input_size = s.input, .hidden_size = s.hidden}, g);
       }>},
      {"peephole", run<[](const Setup& s, Generator& g) { return PeepholeLSTMCell<double>(options(s), g); }>},
      {"coupled", run<[](const Setup& s, Generator& g) { return CoupledLSTMCell<double>(options(s), g); }>},
      {"gru", run<[](const Setup& s, Generator& g) { return GRUCell<double>(options(s), g); }>},
      {"gru_reset_before", run<[](const Setup& s, Generator& g) { return GRUResetBeforeCell<double>(options(s), g); }>},
      {"rnn", run<[](const Setup& s, Generator& g) { return RNNCell<double>(options(s), g); }>},
      {"projected", run<[](const Setup& s, Generator& g) {
         return LSTMCell<double>({.input_size = s.input, .hidden_size = 2 * s.hidden, .proj_size = s.hidden}, g);
       }>},
      {"layer_norm", run<[](const Setup& s, Generator& g) {
         LSTMVariantCell<double> cell({.input_size = s.input, .hidden_size = s.hidden, .norm_groups = 1}, g);
         for (auto* norm : {&cell.norm_x, &cell.norm_h, &cell.norm_c})
           for (Parameter<double>* p : {&(*norm)->gain, &(*norm)->shift})
             p->update([&](auto& values) { values += nn::normal<double>(p->shape(), 0, 0.5, g); });
         return cell;
       }>},
      {"minimal_gated", run<[](const Setup& s, Generator& g) { return MinimalGatedCell<double>(options(s), g); }>},
      {"input_gated", run<[](const Setup& s, Generator& g) {
         return InputGatedCell<double>({s.input, s.hidden}, g);
       }>},
  };
  return all;
}

[[noreturn]] void unknown(const std::string& cell) {
  std::string list;
  for (const std::string& name : stock_cells()) list += (list.empty() ? "" : ", ") + name;
  throw ValueError("audit: there is no cell " + cell + "; there are " + list);
}

}  // namespace

const std::vector<std::string>& stock_cells() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto& [name, runner] : runners()) result.push_back(name);
    return result;
  }();
  return names;
}

bool is_stock(const std::string& cell) { return runners().contains(cell); }

Truth stock_truth(const std::string& cell, const Setup& setup) {
  const auto found = runners().find(cell);
  if (found == runners().end()) unknown(cell);
  return found->second(cell, setup);
}

const Derivation& stock_derivation(const std::string& cell) {
  static const std::map<std::string, Derivation> all = [] {
    std::map<std::string, Derivation> result;
    for (const std::string& name : stock_cells())
      if (const auto file = detail::derivation_files.find(name); file != detail::derivation_files.end())
        result.emplace(name, parse(file->second, name + ".derivation"));
    return result;
  }();
  const auto found = all.find(cell);
  if (found == all.end()) unknown(cell);
  return found->second;
}

}  // namespace nn::audit
