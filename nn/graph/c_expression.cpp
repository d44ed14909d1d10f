#include "nn/graph/c_expression.hpp"

#include <cmath>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/number_text.hpp"

namespace nn::io::detail {

using autograd::Equation;

std::string c_number(double value, bool is_float) {
  if (std::isnan(value)) return is_float ? "NAN" : "(double)NAN";
  if (std::isinf(value)) return std::string(value < 0 ? "(-" : "(") + (is_float ? "" : "(double)") + "INFINITY)";
  std::string text;
  if (is_float)
    autograd::append_shortest(text, static_cast<float>(value));
  else
    autograd::append_shortest(text, value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  if (is_float) text += 'f';
  return text[0] == '-' ? "(" + text + ")" : text;
}

namespace {

/// The body of each function that is not in math.h, TYPE for the element type, PRE_ before the names of others. Those
/// of float are the polynomials of autograd/values/register_functions.hpp and stream_register.hpp.
struct Function {
  const char* name;
  const char* of_float;  ///< null for that of double
  const char* of_double;
  const char* needs = "";         ///< other functions of this table
  const char* of_libm = nullptr;  ///< what it returns with PRE_LIBM
};

constexpr Function functions_in_order[] = {
    {"maximum", nullptr, "static inline TYPE PRE_maximum(TYPE a, TYPE b) { return a != a || a > b ? a : b; }\n"},
    {"minimum", nullptr, "static inline TYPE PRE_minimum(TYPE a, TYPE b) { return a != a || a < b ? a : b; }\n"},
    // Bounds and NaN are matters of bits: a choice between floats, which might trap, keeps GCC from making loops of
    // registers of what is made of it.
    {"bounded",
     R"(/* x with its size, as the bits that order it, at most that of `bound` */
static inline float PRE_bounded(float x, float bound) {
  union { float value; int bits; } u, b;
  int size;
  u.value = x;
  b.value = bound;
  size = u.bits & 0x7fffffff;
  u.bits = (u.bits & (-0x7fffffff - 1)) | (size > b.bits ? b.bits : size);
  return u.value;
}
/* y, NaN where x is */
static inline float PRE_unless_nan(float x, float y) {
  union { float value; unsigned bits; } u, v;
  u.value = x;
  v.value = y;
  v.bits |= 0u - ((0x7f800000u - (u.bits & 0x7fffffffu)) >> 31);
  return v.value;
}
)",
     nullptr},
    {"power_of_two",
     R"(/* 2^n of a whole number from -126 to 127, given n + 1.5 2^23, which has it in its lowest bits */
static inline float PRE_power_of_two(float n) {
  union { float value; unsigned bits; } u;
  u.value = n;
  u.bits = (u.bits << 23) + 0x3f800000u;
  return u.value;
}
)",
     nullptr},
    {"exp",
     R"(/* e^x = 2^n e^r with |r| <= ln(2) / 2, within 4 units in the last place */
static inline float PRE_exp(float x) {
  const float big = 12582912.0f, u = PRE_bounded(x, 104.0f);
  const float n = (u * 1.44269504f + big) - big;
  const float r = (u - n * 0.693359375f) - n * -2.12194440e-4f, r2 = r * r;
  const float p = (0x1.5554eap-5f + 0x1.120c04p-7f * r + 0x1.6d4bfcp-10f * r2) * r2 + (0.5f + 0x1.5554dcp-3f * r);
  const float half = n * 0.5f + big;
  return PRE_unless_nan(
      x, (1.0f + (r + r2 * p)) * PRE_power_of_two(half) * PRE_power_of_two((n - (half - big)) + big));
}
)",
     nullptr, "bounded power_of_two", "expf(x)"},
    {"sigmoid",
     R"(/* 1 / (1 + e^-x), e^-x = 2^n e^-s: within 4 units in the last place for x above -87, and never below 2^-126 */
static inline float PRE_sigmoid(float x) {
  const float big = 12582912.0f, u = PRE_bounded(x, 87.0f);
  const float shifted = u * -1.44269504f + big, n = shifted - big;
  const float s = (u + n * 0.693359375f) + n * -2.12194440e-4f, s2 = s * s;
  const float p = ((0x1.573b4ep-5f + -0x1.0fa764p-7f * s) * s2 + (0x1.fffdc2p-2f + -0x1.555a7p-3f * s)) * s2 +
                  (1.0f + -0x1.fffff6p-1f * s);
  return PRE_unless_nan(x, 1.0f / (1.0f + p * PRE_power_of_two(shifted)));
}
)",
     "/* 1 / (1 + e^-x), of which the one with the falling exponential */\n"
     "static inline double PRE_sigmoid(double x) {\n"
     "  const double e = exp(x < 0.0 ? x : -x);\n"
     "  return (x < 0.0 ? e : 1.0) / (1.0 + e);\n"
     "}\n",
     "bounded power_of_two", "1.0f / (1.0f + expf(-x))"},
    {"tanh",
     R"(/* x P(x^2) / Q(x^2), within 6 units in the last place */
static inline float PRE_tanh(float x) {
  const float u = PRE_bounded(x, 9.0f), z = u * u;
  const float p = (((0x1.ca903ap-27f * z + 0x1.59a51ap-16f) * z + 0x1.ca1cf8p-9f) * z + 0x1.120902p-3f) * z + 1.0f;
  const float q = (((0x1.a14c2ep-21f * z + 0x1.587276p-12f) * z + 0x1.a7f068p-6f) * z + 0x1.de59cap-2f) * z + 1.0f;
  return PRE_unless_nan(x, PRE_bounded(u * p / q, 1.0f));
}
)",
     nullptr, "bounded", "tanhf(x)"},
};

const Function* find(std::string_view name) {
  for (const Function& function : functions_in_order)
    if (name == function.name) return &function;
  return nullptr;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// How often each part of a formula is used.
void count(const Equation& formula, std::map<const void*, int>& uses) {
  if (formula.kind() != Equation::Kind::call || ++uses[formula.identity()] > 1) return;
  for (const Equation& argument : formula.arguments()) count(argument, uses);
}

}  // namespace

std::string CExpressions::call(std::string_view function, const std::string& arguments) {
  const Function* const own = find(function);
  if (own && (is_float_ ? own->of_float || own->of_double : own->of_double != nullptr)) {
    used_.insert(own->name);
    for (const Function& other : functions_in_order)
      if (is_float_ && std::string_view(own->needs).find(other.name) != std::string_view::npos)
        used_.insert(other.name);
    return prefix_ + "_" + std::string(function) + "(" + arguments + ")";
  }
  const std::string name = function == "abs" ? "fabs" : std::string(function);
  return name + (is_float_ ? "f(" : "(") + arguments + ")";
}

std::string CExpressions::text(const Equation& formula, const std::function<std::string(std::size_t)>& operand,
                               const std::function<std::string(const std::string&)>& declare) {
  std::map<const void*, int> uses;
  count(formula, uses);
  std::map<const void*, std::string> declared;
  const std::function<std::string(const Equation&)> write = [&](const Equation& e) -> std::string {
    if (e.kind() == Equation::Kind::number) return number(e.number());
    if (e.kind() == Equation::Kind::operand) return operand(e.index());
    if (const auto known = declared.find(e.identity()); known != declared.end()) return known->second;
    std::vector<std::string> x;
    for (const Equation& argument : e.arguments()) x.push_back(write(argument));
    const std::string& f = e.function();
    const auto infix = [&](const char* sign) { return "(" + x[0] + sign + x[1] + ")"; };
    std::string result;
    if (f == "add")
      result = infix(" + ");
    else if (f == "sub")
      result = infix(" - ");
    else if (f == "mul")
      result = infix(" * ");
    else if (f == "div")
      result = infix(" / ");
    else if (f == "neg")
      result = "(-" + x[0] + ")";
    else if (f == "greater")
      result = "(" + x[0] + " > " + x[1] + " ? " + number(1) + " : " + number(0) + ")";
    else if (f == "equal")
      result = "(" + x[0] + " == " + x[1] + " ? " + number(1) + " : " + number(0) + ")";
    else if (f == "where")
      result = "(" + x[0] + " == " + number(0) + " ? " + x[2] + " : " + x[1] + ")";
    else
      result = call(f, x.size() == 1 ? x[0] : x[0] + ", " + x[1]);
    if (uses[e.identity()] > 1) result = declared[e.identity()] = declare(result);
    return result;
  };
  return write(formula);
}

std::string CExpressions::functions() const {
  std::string text;
  for (const Function& function : functions_in_order) {
    if (!used_.count(function.name)) continue;
    std::string body = is_float_ && function.of_float ? function.of_float : function.of_double;
    body = replaced(replaced(body, "TYPE", type()), "PRE_", prefix_ + "_");
    if (is_float_ && function.of_libm)
      body = "#ifdef " + prefix_ + "_LIBM\nstatic inline float " + prefix_ + "_" + function.name +
             "(float x) { return " + function.of_libm + "; }\n#else\n" + body + "#endif\n";
    text += body;
  }
  return text;
}

}  // namespace nn::io::detail
