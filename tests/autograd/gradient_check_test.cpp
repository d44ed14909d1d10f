// The gradient check itself: it passes what is right, catches what is wrong by little, and says where.
#include <sstream>

#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

using Handle = Variable<double>;

/// How a rule is wrong, if it is.
enum class Wrong { nothing, sign, factor, dropped, added, operand };

// y = a b,   da = g b,  db = g a
template <Wrong wrong>
struct Product {
  static constexpr OpInfo info{.name = "product", .inputs = 2, .vjp_reads = Reads::inputs};
  static auto forward(const auto& a, const auto& b) { return a * b; }
  static auto vjp(const auto& g, const auto&, const auto& a, const auto& b) {
    if constexpr (wrong == Wrong::sign)
      return gradients(g * b, -(g * a));
    else if constexpr (wrong == Wrong::factor)
      return gradients(g * b * 1.0005, g * a);
    else if constexpr (wrong == Wrong::dropped)
      return gradients(g * b, Absent{});
    else if constexpr (wrong == Wrong::added)
      return gradients(g * b, g * a + 1e-9);
    else if constexpr (wrong == Wrong::operand)
      return gradients(g * a, g * b);
    else
      return gradients(g * b, g * a);
  }
};

// y = tanh(x),   dx = g (1 - x^2): the input taken for the output
struct TanhOfInput {
  static constexpr OpInfo info{.name = "tanh_of_input"};
  static auto forward(const auto& x) { return tanh(x); }
  static auto vjp(const auto& g, const auto&, const auto& x) { return gradients(g * (1 - x * x)); }
};

/// Where a structural x^2 is wrong.
enum class Place {
  nowhere,
  numbers,       // in the sweep, not in recorded gradients
  recorded,      // in recorded gradients, not in the sweep
  one_element,   // in element 4 of both
  stores,        // in that the sweep stores where it should add
  adds,          // in that it adds where it should store
  second_order,  // in that the recorded gradient takes x for a constant
  not_a_number   // in that element 4 of both is NaN
};

// y = x^2,   dx = 2 x g
struct Squared {
  static constexpr OpInfo info{.name = "squared", .vjp_reads = Reads::inputs};
  Place wrong;
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k)
      call.output().data[k] = call.input().data[k] * call.input().data[k];
  }
  double factor(std::size_t k) const {
    if (wrong == Place::one_element && k == 4) return 2.001;
    if (wrong == Place::not_a_number && k == 4) return std::numeric_limits<double>::quiet_NaN();
    return 2;
  }
  template <class T>
  void backward_into(Backward<T>& call) const {
    const Destination<T> dx = call.into();
    for (std::size_t k = 0; k < call.input().size(); ++k) {
      const T part = static_cast<T>(factor(k)) * call.input().data[k] * call.gradient().data[k];
      const bool add = wrong == Place::stores ? false : wrong == Place::adds ? true : dx.accumulate;
      dx.data[k] = (add ? dx.data[k] : T(0)) + (wrong == Place::numbers ? -part : part);
    }
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    const Variable<T> x = wrong == Place::second_order ? detach(call.input()) : call.input();
    Array<T> factors = make_array<T>(x.shape());
    for (std::size_t k = 0; k < factors.size(); ++k) factors.data()[k] = static_cast<T>(factor(k));
    const Variable<T> g = wrong == Place::recorded ? -call.gradient() : call.gradient();
    call.add(0, g.tape().constant(factors) * x * g);
  }
};

// y = erf(x),   dx = g 2/sqrt(pi) exp(-x^2), by a factor; the standard library has it for real numbers only
struct Erf {
  static constexpr OpInfo info{.name = "erf", .vjp_reads = Reads::inputs, .analytic = false};
  double factor = 1;
  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    for (std::size_t k = 0; k < call.input().size(); ++k)
      call.output().data[k] = static_cast<V>(std::erf(std::real(call.input().data[k])));
  }
  template <class T>
  void vjp(Recorder<T>& call) const {
    call.add(0, call.gradient() * exp(-square(call.input())) * (factor * 2 / std::sqrt(3.141592653589793)));
  }
};

Array<double> numbers(const Shape& shape, std::uint64_t seed = 1, Interval domain = {0.5, 2}) {
  Generator generator(seed);
  return random_array(shape, generator, domain);
}

template <Wrong wrong>
GradientReport check_product() {
  return gradient_check([](auto x) { return apply(Product<wrong>{}, x[0], x[1]); },
                        {numbers({2, 3}), numbers({2, 3}, 2)});
}

GradientReport check_squared(Place wrong) {
  return gradient_check([wrong](auto x) { return apply(Squared{wrong}, x[0]); }, {numbers({2, 3})});
}

std::string text_of(const GradientReport& report) {
  std::ostringstream text;
  text << report;
  return text.str();
}

/// The errors of `derivative`, one for each input.
std::vector<double> errors(const GradientReport& report, const std::string& derivative = "gradient") {
  std::vector<double> result;
  for (const GradientComparison& comparison : report.comparisons)
    if (comparison.derivative == derivative) result.push_back(comparison.error);
  return result;
}

const std::string second = "Hessian times direction";

}  // namespace

TEST_CASE("right gradients pass, in first and second order", "[gradient_check]") {
  const GradientReport report = check_product<Wrong::nothing>();
  REQUIRE(report.comparisons.size() == 4);
  CHECK(report.agrees(1e-14));
  CHECK(errors(report).size() == 2);
  CHECK(errors(report, second).size() == 2);
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(report.comparisons[k].method == "complex step");
    CHECK(report.comparisons[k].input == k % 2);
  }
  CHECK(check_squared(Place::nowhere).agrees(1e-14));
  const auto first_only = gradient_check([](auto x) { return exp(x[0]); }, {numbers({3})}, {.second_order = false});
  CHECK(first_only.comparisons.size() == 1);
  CHECK(first_only.comparisons[0].derivative == "gradient");
}

TEST_CASE("wrong elementwise gradients are caught", "[gradient_check]") {
  CHECK(errors(check_product<Wrong::sign>())[0] <= 1e-15);
  CHECK(errors(check_product<Wrong::sign>())[1] > 0.5);
  const auto factor = errors(check_product<Wrong::factor>());
  CHECK(factor[0] > 1e-4);
  CHECK(factor[0] <= 5.1e-4);
  CHECK(factor[1] <= 1e-15);
  CHECK(errors(check_product<Wrong::dropped>())[1] > 0.5);
  CHECK(errors(check_product<Wrong::added>())[1] > 1e-10);
  CHECK(errors(check_product<Wrong::operand>())[0] > 0.01);
  CHECK(errors(check_product<Wrong::operand>())[1] > 0.01);
  CHECK_FALSE(check_product<Wrong::factor>().agrees(1e-4));
  const auto saved = gradient_check([](auto x) { return apply(TanhOfInput{}, x[0]); }, {numbers({5})});
  CHECK(errors(saved)[0] > 0.01);
}

TEST_CASE("wrong structural gradients are caught, wherever they are wrong", "[gradient_check]") {
  CHECK(errors(check_squared(Place::numbers))[0] > 0.5);
  CHECK(errors(check_squared(Place::recorded))[0] > 0.5);
  CHECK(errors(check_squared(Place::adds))[0] > 0.1);

  const auto element = check_squared(Place::one_element);
  CHECK(element.worst().index == std::vector<std::size_t>{1, 1});
  CHECK(element.worst().error > 1e-5);
  CHECK(element.comparisons[0].recorded == Catch::Approx(element.comparisons[0].reference * 1.0005).epsilon(1e-12));

  // What stores instead of adding shows when somebody else reads the input, after it in the sweep or before.
  const auto stores = [](bool first) {
    return gradient_check(
        [first](auto x) {
          const auto before = first ? apply(Squared{Place::stores}, x[0]) : exp(x[0]);
          return before + (first ? exp(x[0]) : apply(Squared{Place::stores}, x[0]));
        },
        {numbers({4})});
  };
  CHECK(errors(stores(true))[0] > 0.1);

  const auto nan = check_squared(Place::not_a_number);
  CHECK(nan.worst().error == std::numeric_limits<double>::infinity());
  CHECK_FALSE(nan.agrees(1e300));
}

TEST_CASE("a gradient that is right but can not be differentiated again is caught in second order",
          "[gradient_check]") {
  const auto report = check_squared(Place::second_order);
  CHECK(errors(report)[0] <= 1e-15);
  CHECK(errors(report, second)[0] > 0.1);
  CHECK(report.worst().derivative == second);
  CHECK(report.worst().method == "differences of the complex step");
  // What the function itself detaches is constant to both.
  const auto detached = gradient_check([](auto x) { return x[0] * detach(exp(x[0])); }, {numbers({3})});
  CHECK(detached.agrees(1e-14));
  // A kink, at which there is no second derivative to miss.
  const auto kink = gradient_check([](auto x) { return relu(x[0]) * x[0]; }, {array<double>({3}, {0, 1e-6, -1e-6})});
  CHECK(kink.agrees(1e-14));
}

TEST_CASE("a report names the worst element", "[gradient_check]") {
  const auto report = check_squared(Place::one_element);
  const GradientComparison& worst = report.worst();
  for (const GradientComparison& comparison : report.comparisons) CHECK(comparison.error <= worst.error);
  std::ostringstream expected;
  expected << worst.derivative << " of input 0: worst error " << worst.error
           << " of its norm, at element (1, 1): recorded ";
  expected.precision(17);
  expected << worst.recorded << ", complex step " << worst.reference;
  CHECK(text_of(report) == expected.str());

  const auto scalar = gradient_check([](auto x) { return apply(Product<Wrong::sign>{}, x[0], x[1]); },
                                     {array<double>({}, {2}), array<double>({}, {3})}, {.second_order = false});
  CHECK(text_of(scalar).starts_with("gradient of input 1: worst error 2 of its norm, at element (): recorded "));
  CHECK(scalar.worst().recorded == -scalar.worst().reference);
}

TEST_CASE("what has no complex form is checked by differences", "[gradient_check]") {
  const auto check = [](double factor) {
    return gradient_check([factor](auto x) { return apply(Erf{factor}, x[0]) * x[0]; }, {numbers({2, 3}, 1, {-1, 1})});
  };
  const auto right = check(1);
  for (const GradientComparison& comparison : right.comparisons) {
    CHECK(comparison.method == "6-point differences");
    CHECK(comparison.error <= 1e-10);
  }
  const auto wrong = check(1.0005);
  CHECK(errors(wrong)[0] > 1e-5);
  CHECK(errors(wrong, second)[0] > 1e-5);
  CHECK(text_of(wrong).find("6-point differences") != std::string::npos);
  // Also on its own, and in an analytic function beside it.
  Tape<double> tape;
  const auto x = tape.variable(numbers({2}));
  const auto y = sum(apply(Erf{}, x));
  CHECK(error_text<ValueError>([&] { complex_step_gradient(y, x); }) ==
        "complex step: erf has no complex form; use gradient_check(), which falls back on differences");
  CHECK(same(complex_step_gradient(sum(square(x)), x), Array<double>(2 * x.value())));
}

TEST_CASE("errors are relative to the gradient, however large or small", "[gradient_check]") {
  for (const double scale : {1e-30, 1e-10, 1.0, 1e10, 1e30}) {
    INFO(scale);
    const auto right = [scale](auto x) { return apply(Product<Wrong::nothing>{}, x[0], x[1]) * scale; };
    const auto wrong = [scale](auto x) { return apply(Product<Wrong::factor>{}, x[0], x[1]) * scale; };
    CHECK(gradient_check(right, {numbers({3}), numbers({3}, 2)}).agrees(1e-14));
    CHECK(errors(gradient_check(wrong, {numbers({3}), numbers({3}, 2)}))[0] > 1e-4);
  }
}

TEST_CASE("zero gradients are compared, too", "[gradient_check]") {
  const auto ignores = gradient_check([](auto x) { return exp(x[0]) + 0 * x[1]; }, {numbers({3}), numbers({3})});
  CHECK(ignores.agrees(1e-14));
  const auto unused = gradient_check([](auto x) { return exp(x[0]); }, {numbers({3}), numbers({2})});
  CHECK(unused.agrees(1e-14));
  const auto constant = gradient_check([](auto x) { return detach(x[0]); }, {numbers({3})});
  CHECK(constant.agrees(1e-14));
  // Right would be 0: the wrong rule takes b for a and a for b.
  const auto not_zero = gradient_check(
      [](auto x) {
        const auto zero = x[0].tape().constant(x[0].shape(), 0);
        return apply(Product<Wrong::operand>{}, x[0], zero);
      },
      {numbers({3})});
  CHECK(errors(not_zero)[0] > 0.1);
  CHECK(gradient_check([](auto x) { return exp(x[0]); }, {zeros<double>({0, 3})}).agrees(1e-14));
}

TEST_CASE("powers of negative numbers have a complex step", "[gradient_check]") {
  for (const double exponent : {1.0, 2.0, 3.0, 4.0, 7.0, -1.0, -2.0, -3.0}) {
    INFO(exponent);
    const auto report =
        gradient_check([exponent](auto x) { return pow(x[0], exponent); }, {numbers({7}, 1, {-2, -0.5})});
    CHECK(report.worst().method == "complex step");
    CHECK(report.agrees(1e-13));
  }
}

TEST_CASE("a check is repeatable, and its seed matters", "[gradient_check]") {
  const auto report = [](std::uint64_t seed) {
    return gradient_check([](auto x) { return apply(Product<Wrong::factor>{}, x[0], x[1]); },
                          {numbers({3}), numbers({3}, 2)}, {.seed = seed});
  };
  CHECK(text_of(report(1)) == text_of(report(1)));
  CHECK(text_of(report(1)) != text_of(report(2)));
}

TEST_CASE("a check without inputs, or of a function that throws, says so", "[gradient_check]") {
  CHECK(error_text<ValueError>([] { gradient_check([](auto x) { return x[0]; }, {}); }) ==
        "gradient_check: no inputs; pass the arrays to differentiate by");
  CHECK(error_text<ShapeError>([] {
          gradient_check([](auto x) { return x[0] + x[1]; }, {numbers({3}), numbers({4})});
        }) ==
        "add: shapes (3) and (4) do not broadcast: axis 0 has extents 3 and 4; make them equal, or one of them 1");
}

TEST_CASE("the complex step differentiates by any value before the loss", "[gradient_check]") {
  Tape<double> tape;
  const auto x = tape.variable(array<double>({2}, {3, 4}));
  const auto y = square(x);
  const auto part = select(y, 0, 1);
  const auto loss = sum(y) + part * part;
  const auto after = exp(loss);
  CHECK(same(complex_step_gradient(loss, y), array<double>({2}, {1, 33})));
  CHECK(same(complex_step_gradient(loss, x), array<double>({2}, {6, 8 * 33})));
  CHECK(same(complex_step_gradient(loss, part), array<double>({}, {32})));
  CHECK(same(complex_step_gradient(loss, loss), array<double>({}, {1})));
  CHECK(same(complex_step_gradient(loss, after), array<double>({}, {0})));
}
