// An Equation as nodes of ONNX: a node for each function, and a few for those that ONNX does not have.
#include "nn/graph/onnx_formula.hpp"

namespace nn::io::formats::onnx {

namespace {

struct FunctionOp {
  std::string_view function;
  const char* op;
  bool doubles = true;  ///< ONNX Runtime has it for double, too
};
constexpr FunctionOp function_ops[]{
    {"add", "Add"},          {"sub", "Sub"},          {"mul", "Mul"},          {"div", "Div"},
    {"neg", "Neg"},          {"maximum", "Max"},      {"minimum", "Min"},      {"pow", "Pow"},
    {"exp", "Exp"},          {"log", "Log"},          {"sqrt", "Sqrt"},        {"tanh", "Tanh"},
    {"sigmoid", "Sigmoid"},  {"sin", "Sin"},          {"cos", "Cos"},          {"floor", "Floor"},
    {"abs", "Abs"},          {"erf", "Erf", false},   {"tan", "Tan", false},   {"asin", "Asin", false},
    {"acos", "Acos", false}, {"atan", "Atan", false}, {"sinh", "Sinh", false}, {"cosh", "Cosh", false}};

}  // namespace

std::string FormulaWriter::write(const Equation& x, const std::string& wanted) {
  if (x.kind() == Equation::Kind::number) return numbers_.scalar(x.number());
  if (x.kind() == Equation::Kind::operand) {
    read_.insert(x.index());
    return operands_[x.index()];
  }
  std::string& name = written_[x.identity()];
  if (name.empty()) name = call(x, wanted);
  return name;
}

std::string FormulaWriter::call(const Equation& x, const std::string& wanted) {
  const std::vector<Equation>& arguments = x.arguments();
  if (x.is("greater") || x.is("equal"))
    return nodes_.add("Cast", {truth(x)}, {whole_attribute("to", static_cast<Index>(numbers_.type()))}, wanted);
  if (x.is("where")) {
    const std::string condition = truth(arguments[0]), a = write(arguments[1]), b = write(arguments[2]);
    return nodes_.add("Where", {condition, a, b}, {}, wanted);
  }
  std::vector<std::string> inputs;
  for (const Equation& argument : arguments) inputs.push_back(write(argument));
  if (x.is("expm1")) return expm1(inputs[0], wanted);
  if (x.is("log1p")) return log1p(inputs[0], wanted);
  for (const FunctionOp& each : function_ops) {
    if (!x.is(each.function)) continue;
    if (numbers_.doubles() && !each.doubles)
      throw Refusal("ONNX Runtime has no " + x.function() + " of double; make the graph of float: step_graph<float>()");
    return nodes_.add(each.op, inputs, {}, wanted);
  }
  if (x.is("erfc"))
    throw Refusal("ONNX has no erfc, and 1 - erf(x) is 0 where erfc is small; write 1 - erf(x) if that is good enough");
  if (x.is("atan2")) throw Refusal("ONNX has no atan2; write atan(y / x) if x is positive");
  throw Refusal("ONNX has no " + x.function() + "; write it with other functions");
}

std::string FormulaWriter::truth(const Equation& x) {
  const bool greater = x.is("greater");
  if (greater || x.is("equal")) {
    const std::string a = write(x.arguments()[0]), b = write(x.arguments()[1]);
    return nodes_.add(greater ? "Greater" : "Equal", {a, b});
  }
  return nodes_.add("Not", {nodes_.add("Equal", {write(x), numbers_.scalar(0)})});
}

// exp(x) - 1 = tanh(x / 2) (exp(x) + 1), where nothing cancels near 0.
std::string FormulaWriter::expm1(const std::string& x, const std::string& wanted) {
  const std::string half = nodes_.add("Tanh", {nodes_.add("Mul", {x, numbers_.scalar(0.5)})});
  const std::string sum = nodes_.add("Add", {nodes_.add("Exp", {x}), numbers_.scalar(1)});
  return nodes_.add("Mul", {half, sum}, {}, wanted);
}

// With u = 1 + x as it is rounded: log(u) x / (u - 1), in which the error of u cancels (Kahan 1982; Goldberg 1991,
// theorem 4); x where u is 1, and log(u) where u is x, an infinity for one.
std::string FormulaWriter::log1p(const std::string& x, const std::string& wanted) {
  const std::string one = numbers_.scalar(1), u = nodes_.add("Add", {x, one}), log = nodes_.add("Log", {u});
  const std::string ratio = nodes_.add("Div", {x, nodes_.add("Sub", {u, one})});
  const std::string small = nodes_.add("Where", {nodes_.add("Equal", {u, one}), x, nodes_.add("Mul", {log, ratio})});
  return nodes_.add("Where", {nodes_.add("Equal", {u, x}), log, small}, {}, wanted);
}

}  // namespace nn::io::formats::onnx
