// Recurrent networks and cells: values, gradients, Hessian-vector products.
#include "nn/recurrent/recurrent.hpp"

#include "autograd/error.hpp"
#include "conformance/networks.hpp"
#include "nn/audit/input_gated_cell.hpp"
#include "nn/recurrent/gru.hpp"
#include "nn/recurrent/lstm_cell.hpp"
#include "nn/recurrent/lstm_variant_cell.hpp"
#include "nn/recurrent/lstm_variants.hpp"
#include "nn/recurrent/rnn.hpp"

namespace conformance {

using autograd::FormatError;

namespace {

/// A case on a tape: the leaves whose gradients it lists, and the loss as its outputs come in.
struct Problem {
  const Case& c;
  Findings& findings;
  Tolerance allowed;
  Tape<double> tape = {};
  std::vector<Leaf> leaves = {};
  Variable<double> loss = {};

  Problem(const Case& c, Findings& findings, const char* steps) : c(c), findings(findings) {
    allowed = c.get<std::size_t>(std::string("/config/") + steps) >= 100 ? long_sequence : single;
  }

  /// A parameter of the module, whose tensors in the case may have another name.
  void add_parameter(const std::string& name, Parameter<double>& parameter) {
    leaves.push_back({"params/" + name, tape.parameter(parameter), &parameter});
  }
  Variable<double> leaf(const std::string& name) {
    leaves.push_back({name, tape.variable(c.tensor("/" + name)), nullptr});
    return leaves.back().variable;
  }
  std::optional<Variable<double>> maybe(const std::string& name) {
    return c.has("/" + name) ? std::optional(leaf(name)) : std::nullopt;
  }

  /// Compares an output, and adds its share to the loss.
  void output(const std::string& name, Variable<double> value) {
    if (name != "output" && !c.has("/" + name)) return;  // a cell without that state
    const Array<double> expected = c.tensor("/" + name);
    findings.compare(name, value.copy(), expected, allowed);
    if (!(value.shape() == autograd::shape_of(expected))) return;
    add(inner(value, c.tensor("/loss_weights/" + name)));
    if (name == "output") add(c.get<double>("/loss_quadratic") * sum(square(value)));
  }
  void add(Variable<double> part) { loss = loss ? loss + part : part; }

  void finish() {
    if (!loss || !findings.passed()) return;
    findings.compare("loss", loss.item(), c.get<double>("/loss"), allowed);
    compare_leaves(loss, leaves, c, "/grads", allowed, findings);
  }
};

/// Throws FormatError unless the input has the steps, batch and features that the configuration says.
void check_input(const Case& c, const Shape& shape, const char* steps) {
  const bool batch_first = c.get("/config/batch_first", false);
  const auto size = [&](const char* key) { return c.get<std::size_t>(std::string("/config/") + key); };
  const Shape expected{size(batch_first ? "B" : steps), size(batch_first ? steps : "B"), size("input_size")};
  if (!(shape == expected))
    throw FormatError("oracle " + c.name() + ", /input: shape " + to_string(shape) + ", the configuration says " +
                      to_string(expected));
}

}  // namespace

void run_recurrent(const Case& c, Findings& findings) {
  const std::unique_ptr<Network> network = make_network(c);
  load(network->parameters(), c, "/params");
  c.has("/config/initial_state");  // a remark: /h0 and /c0 say it
  Problem problem(c, findings, "T");
  for (const auto& [name, parameter] : network->parameters()) problem.add_parameter(name, *parameter);
  const Variable<double> x = problem.leaf("input");
  check_input(c, x.shape(), "T");
  const auto h0 = problem.maybe("h0"), c0 = problem.maybe("c0");
  const std::vector<std::size_t> lengths = lengths_of(c);
  const Outputs outputs = (*network)(x, h0, c0, lengths);
  problem.output("output", outputs.output);
  problem.output("h_n", outputs.h_n);
  if (outputs.c_n) problem.output("c_n", *outputs.c_n);
  problem.finish();
}

namespace {

/// Steps through the sequence one by one.
template <class C>
void run_steps(const Case& c, Findings& findings, C cell) {
  const auto parameters = parameters_of(cell);
  load(parameters, c, "/params");
  Problem problem(c, findings, "steps");
  for (const auto& [name, parameter] : parameters) problem.add_parameter(name, *parameter);
  const Variable<double> x = problem.leaf("input");
  check_input(c, x.shape(), "steps");
  constexpr bool has_c = std::is_same_v<nn::StateOf<C, double>, nn::LSTMState<double>>;
  auto state = [&] {
    if constexpr (has_c)
      return nn::LSTMState<double>{problem.leaf("h0"), problem.leaf("c0")};
    else
      return problem.leaf("h0");
  }();
  std::vector<Variable<double>> outputs;
  for (std::size_t t = 0; t < x.shape()[0]; ++t) {
    state = cell(select(x, 0, static_cast<Index>(t)), state);
    outputs.push_back(nn::output(state));
  }
  problem.output("output", autograd::stack(std::span<const Variable<double>>(outputs), 0));
  if constexpr (has_c) problem.output("c_n", state.c);
  problem.finish();
}

using Parameters = std::vector<std::pair<std::string, Parameter<double>*>>;

/// Any cell over the sequence at once. `parameters` are the cell's, under the names of the case.
template <class C>
void run_sequence(const Case& c, Findings& findings, C one, Parameters (*parameters_of_cell)(C&)) {
  nn::Recurrent<C> recurrent(std::move(one), {.reverse = c.get("/config/reverse", false)});
  const Parameters parameters = parameters_of_cell(recurrent.cell);
  load(parameters, c, "/params");

  Problem problem(c, findings, "T");
  for (const auto& [name, parameter] : parameters) problem.add_parameter(name, *parameter);
  const Variable<double> x = problem.leaf("input");
  check_input(c, x.shape(), "T");
  const std::vector<std::size_t> lengths = lengths_of(c);
  if constexpr (std::is_same_v<nn::StateOf<C, double>, nn::LSTMState<double>>) {
    nn::LSTMState<double> initial = recurrent.cell.zero_state(problem.tape, x.shape()[1]);
    initial.h = problem.maybe("h0").value_or(initial.h);
    initial.c = problem.maybe("c0").value_or(initial.c);
    const auto result = recurrent(x, {.initial = initial, .lengths = lengths});
    problem.output("output", result.output);
    problem.output("h_n", result.state.h);
    problem.output("c_n", result.state.c);
  } else {
    const auto result = recurrent(x, {.initial = problem.maybe("h0"), .lengths = lengths});
    problem.output("output", result.output);
    problem.output("h_n", result.state);
  }
  problem.finish();
}

/// Of a cell with two biases under one name: the other one is 0.
template <class C>
Parameters with_one_bias(C& cell) {
  cell.bias_hh->update([](auto& values) { values.fill(0); });
  return {{"Wx", &cell.weight_ih}, {"Wh", &cell.weight_hh}, {"b", &*cell.bias_ih}};
}

Parameters of_variant(nn::LSTMVariantCell<double>& cell) {
  Parameters all{{"Wx", &cell.weight_ih}, {"Wh", &cell.weight_hh}, {"b", &cell.bias}};
  const auto maybe = [&](const char* name, auto& parameter) {
    if (parameter) all.emplace_back(name, &*parameter);
  };
  maybe("Wp", cell.weight_hr);
  maybe("pi", cell.peephole_i);
  maybe("pf", cell.peephole_f);
  maybe("po", cell.peephole_o);
  if (cell.norm_x)
    for (const auto& [gain, shift, norm] :
         {std::tuple{"gx", "bx", &*cell.norm_x}, {"gh", "bh", &*cell.norm_h}, {"gc", "bc", &*cell.norm_c}}) {
      all.emplace_back(gain, &norm->gain);
      all.emplace_back(shift, &norm->shift);
    }
  return all;
}

}  // namespace

void run_cell(const Case& c, Findings& findings) {
  const auto module = c.get<std::string>("/config/module");
  const auto nonlinearity = c.get<std::string>("/config/nonlinearity", "tanh");
  autograd::Generator generator(1);
  const std::size_t input = c.get<std::size_t>("/config/input_size"),
                    hidden = c.get<std::size_t>("/config/hidden_size");
  const bool bias = c.get("/config/bias", true);
  nn::CellOptions options{.input_size = input, .hidden_size = hidden, .bias = bias};
  if (module == "LSTMCell") return run_steps(c, findings, nn::LSTMCell<double>(options, generator));
  if (module == "GRUCell") return run_steps(c, findings, nn::GRUCell<double>(options, generator));
  if (module == "RNNCell" && (nonlinearity == "tanh" || nonlinearity == "relu")) {
    if (nonlinearity == "relu") options.nonlinearities.hidden = nn::Nonlinearity::relu;
    return run_steps(c, findings, nn::RNNCell<double>(options, generator));
  }
  throw Unknown("module \"" + module + "\"");
}

void run_lstm_variant(const Case& c, Findings& findings) {
  const auto cell = c.get<std::string>("/config/cell");
  const std::size_t input = c.get<std::size_t>("/config/input_size"),
                    hidden = c.get<std::size_t>("/config/hidden_size");
  nn::LSTMVariantOptions options{.input_size = input,
                                 .hidden_size = hidden,
                                 .peephole = c.get("/config/peephole", false),
                                 .coupled = c.get("/config/coupled", false),
                                 .proj_size = c.get<std::size_t>("/config/proj_size", 0)};
  if (c.has("/config/layernorm")) {
    options.norm_groups = c.get<std::size_t>("/config/layernorm/groups");
    options.carry = c.get("/config/layernorm/carry", false);
  }
  options.eps = c.get("/config/layernorm_eps", options.eps);
  const bool special = options.peephole || options.coupled || options.proj_size || options.norm_groups;
  autograd::Generator generator(1);
  if (cell == "source003" && !special)
    return run_sequence(
        c, findings, nn::InputGatedCell<double>({input, hidden}, generator), +[](nn::InputGatedCell<double>& gated) {
          return Parameters{{"Wx", &gated.weight_ih}, {"b", &gated.bias}};
        });
  if (cell == "gru_reset_before" && !special)
    return run_sequence(
        c, findings, nn::GRUResetBeforeCell<double>({input, hidden}, generator),
        +[](nn::GRUResetBeforeCell<double>& gru) {
          return Parameters{
              {"Wx", &gru.weight_ih}, {"Wh", &gru.weight_hh}, {"bx", &*gru.bias_ih}, {"bh", &*gru.bias_hh}};
        });
  if (cell != "lstm") throw Unknown("cell \"" + cell + "\"");

  // Each as the general cell, and as the one made for it.
  run_sequence(c, findings, nn::LSTMVariantCell<double>(options, generator), &of_variant);
  if (options.norm_groups || (options.proj_size && (options.peephole || options.coupled)) ||
      (options.peephole && options.coupled))
    return;
  if (options.peephole)
    return run_sequence(
        c, findings, nn::PeepholeLSTMCell<double>({input, hidden}, generator), +[](nn::PeepholeLSTMCell<double>& one) {
          Parameters all = with_one_bias(one);
          all.insert(all.end(), {{"pi", &one.peephole_i}, {"pf", &one.peephole_f}, {"po", &one.peephole_o}});
          return all;
        });
  if (options.coupled)
    return run_sequence(c, findings, nn::CoupledLSTMCell<double>({input, hidden}, generator),
                        &with_one_bias<nn::CoupledLSTMCell<double>>);
  run_sequence(
      c, findings,
      nn::LSTMCell<double>({.input_size = input, .hidden_size = hidden, .proj_size = options.proj_size}, generator),
      +[](nn::LSTMCell<double>& lstm) {
        Parameters all = with_one_bias(lstm);
        if (lstm.weight_hr) all.emplace_back("Wp", &*lstm.weight_hr);
        return all;
      });
}

void run_second_order(const Case& c, Findings& findings) {
  const std::unique_ptr<Network> network = make_network(c);
  const auto parameters = network->parameters();
  load(parameters, c, "/values");
  Tape<double> tape;
  std::vector<Leaf> leaves;
  for (const auto& [name, parameter] : parameters) leaves.push_back({name, tape.parameter(*parameter), parameter});
  const auto leaf = [&](const std::string& name) -> std::optional<Variable<double>> {
    if (!c.has("/values/" + name)) return std::nullopt;
    leaves.push_back({name, tape.variable(c.tensor("/values/" + name)), nullptr});
    return leaves.back().variable;
  };
  const auto x = leaf("input"), h0 = leaf("h0"), c0 = leaf("c0");
  if (!x) throw FormatError("oracle " + c.name() + ", /values/input: missing");
  check_input(c, x->shape(), "T");
  const Variable<double> output = (*network)(*x, h0, c0, {}).output;
  const Variable<double> loss = mse_loss(output, tape.constant(c.tensor("/target")), autograd::Reduction::sum);
  findings.compare("loss_value", loss.item(), c.get<double>("/loss_value"), single);
  const auto gradients = compare_leaves(loss, leaves, c, "/grads", single, findings);
  Variable<double> along = tape.constant(Shape{}, 0);
  for (std::size_t k = 0; k < leaves.size(); ++k) along = along + inner(gradients[k], c.tensor("/v/" + leaves[k].name));
  compare_leaves(along, leaves, c, "/hvp", single, findings);
}

}  // namespace conformance
