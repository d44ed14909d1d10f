// Every kind of value: what an elementwise function gives in registers, with slopes, fused and on complex numbers is
// what the tape gives.
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "samples/samples.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

/// f(sample, inputs) for every call of every elementwise function.
void for_each_kind(const auto& f) {
  for (const RegisteredOp& op : registered_ops())
    for (const ElementwiseSample& sample : op.kinds) {
      INFO(op.info->name << ": " << sample.description);
      Generator generator(17);
      std::vector<Array<double>> inputs;
      for (const Shape& shape : sample.inputs) inputs.push_back(random_array(shape, generator, sample.domain));
      f(sample, inputs);
    }
}

/// Every `step`-th element of every input replaced by one of the numbers, in turn.
std::vector<Array<double>> with(std::vector<Array<double>> inputs, std::size_t step, std::vector<double> numbers) {
  for (std::size_t k = 0; k < inputs.size(); ++k)
    for (std::size_t at = 0; at < inputs[k].size(); at += step)
      inputs[k].data()[at] = numbers[(at / step / (k + 1)) % numbers.size()];
  return inputs;
}

/// Bounds of the samples, where comparisons are equal and slopes jump.
std::vector<Array<double>> with_ties(const std::vector<Array<double>>& inputs) { return with(inputs, 7, {0.25}); }

/// The value of a call on the tape, its gradients by backward(), and how many steps it took.
template <class T>
struct OnTape {
  Array<T> value;
  std::vector<Array<T>> gradients;
  std::size_t steps;

  OnTape(const Call<T>& call, const std::vector<Array<double>>& inputs) {
    Tape<T> tape;
    std::vector<Variable<T>> x;
    for (const Array<double>& input : inputs) x.push_back(tape.variable(converted<T>(input)));
    const Variable<T> y = call(x);
    value = y.copy();
    steps = tape.size() - inputs.size();
    const bool differentiable = y.needs_gradient();
    if (differentiable) tape.backward(y, full<T>(y.shape(), 1));
    for (const Variable<T>& each : x)
      gradients.push_back(differentiable ? Array<T>(tape.gradient(each)) : zeros<T>(each.shape()));
  }
};

template <class T>
InRegisters<T> in_registers(const ElementwiseSample& sample, const std::vector<Array<double>>& inputs) {
  std::vector<Array<T>> x;
  for (const Array<double>& input : inputs) x.push_back(converted<T>(input));
  if constexpr (std::same_as<T, double>)
    return sample.in_registers(x);
  else
    return sample.in_registers_float(x);
}

template <class T>
const Call<T>& call_of(const Sample& sample) {
  if constexpr (std::same_as<T, double>)
    return sample.call;
  else
    return sample.call_float;
}

/// Equal, NaN both, or apart by rounding: a compiler may round a product and a sum once in one place, twice in another.
template <class T>
bool alike(const Array<T>& a, const Array<T>& b) {
  if (!(shape_of(a) == shape_of(b))) return false;
  for (std::size_t k = 0; k < b.size(); ++k) {
    const T x = a.data()[k], y = b.data()[k];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!std::isfinite(y) || !(std::abs(x - y) <= 8 * std::numeric_limits<T>::epsilon() * std::max(T(1), std::abs(y))))
      return false;
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("registers, with slopes and without, give what the tape gives", "[kinds]", float, double) {
  using T = TestType;
  for_each_kind([&](const ElementwiseSample& sample, const auto& drawn) {
    const auto inputs = with_ties(drawn);
    const OnTape<T> expected(call_of<T>(sample), inputs);
    const InRegisters<T> got = in_registers<T>(sample, inputs);
    CHECK(alike(got.lanes, expected.value));
    CHECK(alike(got.duals, expected.value));
    for (std::size_t k = 0; k < inputs.size(); ++k)
      CHECK(distance(got.slopes[k], expected.gradients[k]) <= (std::same_as<T, double> ? 1e-13 : 1e-5));
  });
}

TEMPLATE_TEST_CASE("registers give what the tape gives at 0, infinities and NaN", "[kinds]", float, double) {
  using T = TestType;
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for_each_kind([&](const ElementwiseSample& sample, const auto& drawn) {
    const auto inputs = with(drawn, 2, {0, infinity, nan, -0.0, 1e4, -infinity, -1e4});
    const OnTape<T> expected(call_of<T>(sample), inputs);
    const InRegisters<T> got = in_registers<T>(sample, inputs);
    CHECK(alike(got.lanes, expected.value));
    CHECK(alike(got.duals, expected.value));
  });
}

TEST_CASE("a pointwise step of an elementwise function gives what the function gives", "[kinds]") {
  for_each_kind([](const ElementwiseSample& sample, const auto& drawn) {
    const auto inputs = with_ties(drawn);
    const OnTape<double> expected(sample.call, inputs), fused(sample.fused, inputs);
    CHECK(fused.steps == 1);
    CHECK(alike(fused.value, expected.value));
    for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(distance(fused.gradients[k], expected.gradients[k]) <= 1e-13);
  });
}

TEST_CASE("complex numbers give the value and, by their imaginary parts, the gradient of the tape", "[kinds]") {
  for_each_kind([](const ElementwiseSample& sample, const auto& inputs) {
    const OnTape<double> expected(sample.call, inputs);
    constexpr double step = 1e-100;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      Array<double> values = zeros<double>(sample.inputs[k]), slopes = values;
      for (std::size_t element = 0; element < values.size(); ++element) {
        std::vector<std::complex<double>> x;
        for (const Array<double>& input : inputs) x.push_back(input.data()[element]);
        x[k].imag(step);
        const std::complex<double> y = sample.complex(x);
        values.data()[element] = y.real();
        slopes.data()[element] = y.imag() / step;
      }
      CHECK(distance(values, expected.value) <= 1e-14);
      CHECK(distance(slopes, expected.gradients[k]) <= 1e-13);
    }
  });
}

TEST_CASE("a value depends on all inputs of its function, and a slope on those that change it", "[kinds]") {
  Generator generator(18);
  for_each_kind([&](const ElementwiseSample& sample, const auto& inputs) {
    const std::uint32_t all = (std::uint32_t(1) << inputs.size()) - 1;
    CHECK(sample.dependences.lane == all);
    CHECK(sample.dependences.dual == all);
    const InRegisters<double> before = in_registers<double>(sample, inputs);
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      auto others = inputs;
      others[j] = random_array(sample.inputs[j], generator, sample.domain);
      const InRegisters<double> after = in_registers<double>(sample, others);
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        CAPTURE(j, k);
        CHECK((same_bits(before.slopes[k], after.slopes[k]) || (sample.dependences.slopes[k] >> j & 1)));
      }
    }
  });
}

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// How a sample calls a function of these parameters, as a regular expression. Those with a default may be left out.
std::string call_pattern(const std::string& name, const std::string& parameters, bool takes_a_number) {
  std::vector<std::string> arguments;
  std::istringstream stream(parameters);
  for (std::string parameter; std::getline(stream, parameter, ',') && parameter.find('=') == std::string::npos;) {
    const bool number = parameter.find("double ") != std::string::npos ||
                        (takes_a_number && parameter.find("const S&") != std::string::npos);
    const bool value = parameter.find('&') != std::string::npos;
    arguments.push_back(number ? R"(-?[\d.]+)" : value ? R"((?:greater\([a-z], 0\)|\b[a-z]\b))" : R"(\[\])");
  }
  if (name.starts_with("operator")) {
    std::string symbol;
    for (const char each : name.substr(8)) symbol += std::string("[") + each + "]";
    return arguments.size() == 1 ? "return " + symbol + arguments[0] : arguments[0] + " " + symbol + " " + arguments[1];
  }
  std::string pattern = "\\b" + name + R"(\()" + arguments[0];
  for (std::size_t k = 1; k < arguments.size(); ++k) pattern += ",\\s+" + arguments[k];
  return pattern;
}

}  // namespace

TEST_CASE("every elementwise function of the headers is called on every kind of value", "[kinds]") {
  const std::regex declaration(
      R"(\n(requires std::is_arithmetic_v<S> )?WENGERT_INLINE \w+ (\w+|operator[^(]+)\(([^)]*)\))");
  std::size_t functions = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WENGERT_OPS_DIR)) {
    const std::string family = entry.path().stem();
    const std::string header = entry.path().extension() == ".hpp" ? text_of(entry.path()) : "";
    const std::string samples = text_of(std::filesystem::path(WENGERT_SAMPLES_DIR) / (family + ".cpp"));
    std::size_t declared = 0, understood = 0;
    std::istringstream lines(header);
    for (std::string line; std::getline(lines, line);)
      declared += !line.starts_with(' ') && line.find("WENGERT_INLINE") != std::string::npos;
    for (std::sregex_iterator match(header.begin(), header.end(), declaration), end; match != end; ++match) {
      ++understood;
      const std::string name = (*match)[2], parameters = (*match)[3];
      if (name == "number_like") continue;  // inside others only
      INFO(family << ".hpp: no sample calls " << name << "(" << parameters << ")");
      CHECK(std::regex_search(samples, std::regex(call_pattern(name, parameters, (*match)[1].matched))));
    }
    INFO(family << ".hpp declares a function that this test can not read");
    CHECK(declared == understood);
    functions += understood;
  }
  CHECK(functions >= 90);
}
