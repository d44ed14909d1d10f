// Optimizers and clipping against PyTorch's.
#include "nn/train/optimizer.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "autograd/error.hpp"
#include "catch.hpp"
#include "conformance/optimizers.hpp"
#include "nn/train/clip.hpp"
#include "nn/train/moving_average.hpp"
#include "oracle.hpp"

using autograd::Array;
using autograd::ValueError;
using nn::Parameter;
using oracle::agree;
using oracle::Case;

namespace {

const std::vector<std::string> kinds{"SGD",   "RMSprop", "Adam",    "AdamW",   "NAdam",
                                     "RAdam", "Adamax",  "Adagrad", "Adadelta"};

/// The JSON pointer of entry k of a list.
std::string entry(std::string list, std::size_t k) { return list.append("/").append(std::to_string(k)); }

double infinity_or(const Case& c, const std::string& pointer) {
  return c.json(pointer).is_string() ? std::numeric_limits<double>::infinity() : c.get<double>(pointer);
}

}  // namespace

// In double the conformance program follows them, to the last digits.
TEST_CASE("optimizers: trajectories in float are PyTorch's", "[optimizer][oracle]") {
  std::set<std::string> followed;
  for (const Case& c : oracle::cases("optimizers")) {
    if (c.has("/groups") || c.has("/scheduler")) continue;
    CAPTURE(c.name());
    std::vector<Parameter<float>> parameters;
    for (std::size_t k = 0; k < c.count("/params"); ++k)
      parameters.emplace_back(Array<float>(c.tensor(entry("/params", k))));
    std::vector<Parameter<float>*> all;
    for (Parameter<float>& p : parameters) all.push_back(&p);
    const auto kind = c.get<std::string>("/optimizer");
    const auto optimizer = conformance::make_optimizer<float>(kind, {all}, {c.json("/args")});
    for (std::size_t step = 0; step < c.count("/steps"); ++step) {
      const std::string at = entry("/steps", step);
      for (std::size_t k = 0; k < all.size(); ++k) all[k]->grad() = c.tensor(entry(at + "/grads", k));
      optimizer->step();
      for (std::size_t k = 0; k < all.size(); ++k)
        CHECK(agree(all[k]->value(), c.tensor(entry(at + "/params_after", k)), 1e-3, 1e-3));
    }
    followed.insert(kind);
  }
  CHECK(followed == std::set<std::string>(kinds.begin(), kinds.end()));
}

TEST_CASE("optimizers: a step uses all of a parameter, of every size, and allocates nothing", "[optimizer]") {
  // The sizes around the width of vector registers: each element must move as the first one does.
  for (std::size_t size = 0; size <= 70; ++size)
    for (const std::string& kind : kinds) {
      CAPTURE(size, kind);
      Parameter<float> scalar(autograd::full<float>({}, 1)), p(autograd::full<float>({size}, 1));
      const auto optimizer = conformance::make_optimizer<float>(kind, {{&scalar, &p}}, {nlohmann::json::object()});
      for (int step = 0; step < 2; ++step) {
        scalar.grad().fill(0.25F);
        p.grad().fill(0.25F);
        CHECK(allocations::during([&] { optimizer->step(); }) == 0);
      }
      CHECK(scalar.value()() < 1);
      for (const float value : p.value()) CHECK(value == Catch::Approx(scalar.value()()).epsilon(1e-6));
      CHECK(p.version() == 2);
      optimizer->zero_grad();
      for (const float g : p.grad()) CHECK(g == 0);
    }
}

TEST_CASE("optimizers: each group has options, a rate and a memory of its own", "[optimizer]") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    const auto fresh = [] { return Parameter<double>(autograd::full<double>({3}, 1)); };
    Parameter<double> a = fresh(), b = fresh(), lone_a = fresh(), lone_b = fresh();
    const nlohmann::json slow{{"lr", 0.01}}, fast{{"lr", 0.1}, {"weight_decay", 0.2}};
    const auto together = conformance::make_optimizer<double>(kind, {{&a}, {&b}}, {slow, fast});
    const auto first = conformance::make_optimizer<double>(kind, {{&lone_a}}, {slow});
    const auto second = conformance::make_optimizer<double>(kind, {{&lone_b}}, {fast});
    for (int step = 0; step < 5; ++step) {
      a.grad().fill(0.5 - step);
      lone_a.grad().fill(0.5 - step);
      b.grad().fill(1 + step);
      lone_b.grad().fill(1 + step);
      if (step == 3) together->learning_rates[1] = second->learning_rates[0] = 0.3;
      together->step();
      first->step();
      second->step();
      CHECK(a.value() == lone_a.value());
      CHECK(b.value() == lone_b.value());
    }
    CHECK(a.value() != b.value());
  }
  Parameter<double> p(autograd::full<double>({2}, 1));
  CHECK_THROWS_MATCHES(nn::SGD<double>({{{&p}, {}}, {{&p}, {}}}), ValueError,
                       Catch::Matchers::Message("optimizer: parameter 1 of shape (2) is there already; name each "
                                                "parameter once, in one group"));
}

TEST_CASE("SGD: momentum and dampening are those of each group, as if it were alone", "[optimizer]") {
  const auto fresh = [] { return Parameter<double>(autograd::full<double>({1}, 1)); };
  const std::vector<nn::SGDOptions> options{{.learning_rate = 0.1, .dampening = 0.5},
                                            {.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5},
                                            {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
                                            {.learning_rate = 0.1}};
  std::vector<Parameter<double>> together(options.size(), fresh()), alone = together;
  nn::SGD<double>::Groups groups;
  std::vector<nn::SGD<double>> optimizers;
  for (std::size_t k = 0; k < options.size(); ++k) {
    groups.push_back({{&together[k]}, options[k]});
    optimizers.emplace_back(std::vector{&alone[k]}, options[k]);
  }
  nn::SGD<double> optimizer(groups);
  for (int step = 0; step < 4; ++step) {
    for (std::size_t k = 0; k < options.size(); ++k) {
      together[k].grad().fill(1);
      alone[k].grad().fill(1);
      optimizers[k].step();
    }
    optimizer.step();
    for (std::size_t k = 0; k < options.size(); ++k) {
      CAPTURE(step, k);
      CHECK(together[k].value() == alone[k].value());
    }
  }
  CHECK(together[0].value()(0) == Catch::Approx(0.6).epsilon(1e-15));  // 1 - 4 · 0.1, whatever the dampening
}

TEST_CASE("optimizers: a rate that is no number updates nothing", "[optimizer]") {
  for (const std::string& kind : kinds) {
    CAPTURE(kind);
    Parameter<float> p(autograd::full<float>({2}, 1));
    p.grad().fill(1);
    const auto optimizer = conformance::make_optimizer<float>(kind, {{&p}}, {nlohmann::json::object()});
    const double usual = optimizer->learning_rates[0];
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -0.1, 1e39}) {
      optimizer->set_learning_rate(bad);
      CHECK_THROWS_AS(optimizer->step(), ValueError);
      CHECK(p.value()(0) == 1);
    }
    optimizer->set_learning_rate(usual);
    // A mean of gradients with a weight of 1 or more, and rates of groups that there are not.
    const std::vector<double> momenta = optimizer->momenta;
    if (kind.find("Ada") == 0 || kind.find("NAda") == 0 || kind.find("RAda") == 0)
      for (double& momentum : optimizer->momenta)
        for (const double bad : {1.0, 1.5}) {
          momentum = bad;
          CHECK_THROWS_AS(optimizer->step(), ValueError);
        }
    optimizer->momenta = {0.5, 0.5, 0.5};
    CHECK_THROWS_AS(optimizer->step(), ValueError);
    optimizer->momenta = momenta;
    optimizer->learning_rates.clear();
    CHECK_THROWS_AS(optimizer->step(), ValueError);
    optimizer->learning_rates = {usual};
    CHECK(p.value()(0) == 1);
    optimizer->step();
    CHECK(p.value()(0) < 1);
  }
}

TEST_CASE("optimizers: a gradient that is not finite updates nothing", "[optimizer]") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (const std::string& kind : kinds) {
      CAPTURE(kind, bad);
      Parameter<float> first(autograd::full<float>({5}, 1)), second(autograd::full<float>({2, 19}, 1));
      const auto optimizer = conformance::make_optimizer<float>(kind, {{&first, &second}}, {nlohmann::json::object()});
      first.grad().fill(1);
      second.grad().fill(1);
      second.grad()(1, 18) = bad;
      CHECK_THROWS_MATCHES(optimizer->step(), ValueError,
                           Catch::Matchers::Message(
                               "optimizer: the gradient of parameter 1 of shape (2, 19) holds " + std::to_string(bad) +
                               "; nothing was updated; look at the loss, clip gradients, or set non_finite to "
                               "NonFinite::skip"));
      optimizer->non_finite = nn::NonFinite::skip;
      optimizer->step();
      CHECK(optimizer->skipped_steps() == 1);
      for (const float value : first.value()) CHECK(value == 1);
      for (const float value : second.value()) CHECK(value == 1);

      // The skipped step is no step: what follows is as if it had not been.
      Parameter<float> other(autograd::full<float>({5}, 1));
      const auto untouched = conformance::make_optimizer<float>(kind, {{&other}}, {nlohmann::json::object()});
      other.grad().fill(1);
      second.grad().fill(std::numeric_limits<float>::max());  // large, but a number
      second.grad()(1, 18) = std::numeric_limits<float>::denorm_min();
      optimizer->step();
      untouched->step();
      CHECK(first.value() == other.value());
      CHECK(optimizer->skipped_steps() == 1);
    }
}

TEST_CASE("centered RMSProp survives a variance that rounds to below zero", "[optimizer]") {
  Parameter<float> p(autograd::full<float>({7}, 1));
  nn::RMSProp<float> optimizer(std::vector{&p}, {.alpha = 0.5, .centered = true});
  for (int step = 0; step < 200; ++step) {
    for (std::size_t k = 0; k < 7; ++k) p.grad()(k) = 0.1F * static_cast<float>(k + 1);
    optimizer.step();
    for (const float value : p.value()) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("optimizers: refused options", "[optimizer]") {
  Parameter<double> p(autograd::full<double>({2}, 1));
  const std::vector<Parameter<double>*> list{&p};
  CHECK_THROWS_AS(nn::SGD<double>(list, {.learning_rate = -1}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.learning_rate = std::nan("")}), ValueError);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_MATCHES(
      nn::SGD<double>(list, {.learning_rate = infinity}), ValueError,
      Catch::Matchers::Message("optimizer: learning_rate must not be negative, and must be finite, got inf"));
  CHECK_THROWS_AS(nn::SGD<double>(list, {.momentum = infinity}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.dampening = infinity}), ValueError);
  CHECK_THROWS_AS(nn::Adam<double>(list, {.weight_decay = infinity}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.momentum = -1}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.weight_decay = -1}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.dampening = -1}), ValueError);
  CHECK_THROWS_MATCHES(nn::SGD<double>(list, {.nesterov = true}), ValueError,
                       Catch::Matchers::Message("optimizer: nesterov needs a momentum, got 0.000000"));
  CHECK_THROWS_MATCHES(nn::SGD<double>(list, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError,
                       Catch::Matchers::Message("optimizer: nesterov needs a dampening of 0, got 0.100000"));
  CHECK_THROWS_AS(nn::SGD<double>(std::vector<Parameter<double>*>{&p, nullptr}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<double>(list, {.alpha = 1}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<double>(list, {.eps = -1}), ValueError);
  CHECK_THROWS_AS(nn::Adam<double>(list, {.beta1 = 1}), ValueError);
  CHECK_THROWS_AS(nn::Adam<double>(list, {.beta2 = -0.1}), ValueError);
  CHECK_THROWS_MATCHES(nn::Adam<double>(list, {.eps = -1}), ValueError,
                       Catch::Matchers::Message("optimizer: eps must be positive, got -1.000000"));
  CHECK_THROWS_AS(nn::Adam<double>(list, {.decoupled_weight_decay = -1}), ValueError);
  CHECK_THROWS_MATCHES(nn::AdamW<double>(list, {.weight_decay = -1}), ValueError,
                       Catch::Matchers::Message("optimizer: weight_decay must not be negative, got -1.000000"));
  CHECK_THROWS_AS(nn::NAdam<double>(list, {.momentum_decay = -1}), ValueError);
  CHECK_THROWS_AS(nn::RAdam<double>(list, {.beta2 = 1}), ValueError);
  CHECK_THROWS_AS(nn::Adamax<double>(list, {.beta1 = -1}), ValueError);
  CHECK_THROWS_AS(nn::Adagrad<double>(list, {.lr_decay = -1}), ValueError);
  CHECK_THROWS_AS(nn::Adadelta<double>(list, {.rho = 1}), ValueError);
}

TEST_CASE("optimizers: options that are infinite in float are refused", "[optimizer]") {
  Parameter<float> p(autograd::full<float>({2}, 1));
  const std::vector<Parameter<float>*> list{&p};
  constexpr double large = 1e39;
  CHECK_THROWS_AS(nn::SGD<float>(list, {.momentum = large}), ValueError);
  CHECK_THROWS_AS(nn::SGD<float>(list, {.dampening = large}), ValueError);
  CHECK_THROWS_AS(nn::SGD<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<float>(list, {.eps = large}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<float>(list, {.momentum = large}), ValueError);
  CHECK_THROWS_AS(nn::Adam<float>(list, {.eps = large}), ValueError);
  CHECK_THROWS_AS(nn::Adam<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::Adam<float>(list, {.decoupled_weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::AdamW<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::NAdam<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::NAdam<float>(list, {.momentum_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::RAdam<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::Adamax<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::Adagrad<float>(list, {.lr_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::Adagrad<float>(list, {.weight_decay = large}), ValueError);
  CHECK_THROWS_AS(nn::Adagrad<float>(list, {.initial_accumulator_value = large}), ValueError);
  CHECK_THROWS_AS(nn::Adadelta<float>(list, {.eps = large}), ValueError);
  CHECK_THROWS_AS(nn::Adadelta<float>(list, {.weight_decay = large}), ValueError);
  CHECK_NOTHROW(nn::AdamW<float>(list, {.weight_decay = 1e38}));
}

TEMPLATE_TEST_CASE("an eps of 0, which would make NaN of a parameter without gradient, is refused", "[optimizer]",
                   float, double) {
  using T = TestType;
  Parameter<T> p(autograd::full<T>({1}, T(1)));
  const std::vector<Parameter<T>*> list{&p};
  const double vanishes = std::is_same_v<T, float> ? 1e-60 : 0;  // as a float
  const auto check = [&](auto make) {
    for (const double eps : {0.0, vanishes, -1.0, std::nan("")}) CHECK_THROWS_AS(make(eps), ValueError);
    auto optimizer = make(std::is_same_v<T, float> ? 1e-30 : 1e-300);
    optimizer.step();
    CHECK(std::abs(p.value()(0) - T(1)) < T(1e-4));  // AdamW takes its decay off
  };
  check([&](double eps) { return nn::Adam<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::AdamW<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::NAdam<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::RAdam<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::Adamax<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::RMSProp<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::Adagrad<T>(list, {.eps = eps}); });
  check([&](double eps) { return nn::Adadelta<T>(list, {.eps = eps}); });
}

TEST_CASE("decoupled decay shrinks a parameter whose gradient is 0, L2 decay moves it as a gradient does",
          "[optimizer]") {
  Parameter<double> decoupled(autograd::full<double>({1}, 2)), l2(autograd::full<double>({1}, 2));
  nn::AdamW<double> adamw(std::vector{&decoupled}, {.learning_rate = 0.1, .weight_decay = 0.5});
  nn::Adam<double> adam(std::vector{&l2}, {.learning_rate = 0.1, .weight_decay = 0.5});
  adamw.step();
  adam.step();
  CHECK(decoupled.value()(0) == Catch::Approx(2 * (1 - 0.05)).epsilon(1e-15));
  CHECK(l2.value()(0) == Catch::Approx(2 - 0.1).epsilon(1e-7));
}

TEST_CASE("moving average: the average, and back to the weights", "[optimizer]") {
  Parameter<double> p(autograd::full<double>({2}, 1));
  nn::ExponentialMovingAverage<double> average(std::vector{&p}, 0.75);
  for (const double value : {5.0, 9.0}) {
    p.update([&](auto& values) { values.fill(value); });
    average.update();
  }
  const double expected = 0.75 * (0.75 * 1 + 0.25 * 5) + 0.25 * 9;
  CHECK(average.averages()[0](1) == expected);
  const auto version = p.version();
  average.swap();
  CHECK(p.value()(0) == expected);
  CHECK(p.version() > version);
  average.swap();
  CHECK(p.value()(0) == 9);
  CHECK(average.averages()[0](0) == expected);
  CHECK_THROWS_AS((nn::ExponentialMovingAverage<double>(std::vector{&p}, 1)), ValueError);
}

TEST_CASE("clipping is PyTorch's", "[clip][oracle]") {
  REQUIRE(oracle::cases("clip_grad").size() == 7);
  for (const Case& c : oracle::cases("clip_grad")) DYNAMIC_SECTION(c.name()) {
      std::vector<Parameter<double>> parameters;
      std::vector<Parameter<double>*> list;
      for (std::size_t k = 0; k < c.count("/grads"); ++k) {
        const Array<double> gradient = c.tensor(entry("/grads", k));
        parameters.emplace_back(autograd::zeros<double>(autograd::shape_of(gradient)));
        parameters.back().grad() = gradient;
      }
      for (auto& p : parameters) list.push_back(&p);
      if (c.has("/clip_value")) {
        nn::clip_grad_value(list, c.get<double>("/clip_value"));
      } else {
        const double total = nn::clip_grad_norm(list, c.get<double>("/max_norm"), infinity_or(c, "/norm_type"));
        CHECK(total == Catch::Approx(c.get<double>("/total_norm")).epsilon(1e-14));
      }
      for (std::size_t k = 0; k < list.size(); ++k) CHECK(agree(list[k]->grad(), c.tensor(entry("/clipped", k))));
    }
}

namespace {

struct Pair {
  Parameter<float> a{autograd::full<float>({37}, 0)}, b{autograd::full<float>({}, 0)};
  static void visit(auto& self, auto&& visitor) {
    visitor("a", self.a);
    visitor("b", self.b);
  }
};

}  // namespace

TEST_CASE("clipping a module", "[clip]") {
  Pair module;
  const auto fill = [&] {
    module.a.grad().fill(2);
    module.b.grad().fill(-3);
  };
  fill();
  const double expected = std::sqrt(37 * 4 + 9.0);
  CHECK(nn::clip_grad_norm(module, 1) == Catch::Approx(expected).epsilon(1e-12));
  for (const float g : module.a.grad()) CHECK(g == Catch::Approx(2 / expected));
  CHECK(module.b.grad()() == Catch::Approx(-3 / expected));
  CHECK(nn::clip_grad_norm(module, 2) == Catch::Approx(1).epsilon(1e-5));
  CHECK(module.b.grad()() == Catch::Approx(-3 / expected));

  fill();
  nn::clip_grad_value(module, 2.5);
  for (const float g : module.a.grad()) CHECK(g == 2);
  CHECK(module.b.grad()() == -2.5);

  const double order = GENERATE(1.0, 2.0, 3.0, std::numeric_limits<double>::infinity());
  fill();
  module.a.grad()(20) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(nn::clip_grad_norm(module, 1, order)));
  CHECK(module.b.grad()() == -3);
  module.a.grad()(20) = std::numeric_limits<float>::infinity();
  CHECK(std::isinf(nn::clip_grad_norm(module, 1, order)));
  CHECK(module.b.grad()() == -3);

  CHECK_THROWS_AS(nn::clip_grad_norm(module, -1), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_norm(module, std::numeric_limits<double>::infinity()), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_norm(module, std::nan("")), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_value(module, std::numeric_limits<double>::infinity()), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_norm(module, 1, 0), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_value(module, -1), ValueError);
}

TEST_CASE("clipping: gradients of every size have a norm", "[clip]") {
  Parameter<double> a(autograd::full<double>({3}, 0)), b(autograd::full<double>({16}, 0));
  const std::vector<Parameter<double>*> list{&a, &b};
  const double largest = std::numeric_limits<double>::max();
  for (const double order : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()})
    for (const double in_a : {0.0, 1e-300, 1e-160, 1.0, 1e160, 1e200, 1e300, largest})
      for (const double in_b : {0.0, 1e-310, 1e-200, 2.0, 1e200, 1e300, largest}) {
        CAPTURE(order, in_a, in_b);
        a.grad().fill(in_a);
        b.grad().fill(-in_b);
        const double unit = std::max({in_a, in_b, 1e-320}), p = std::isinf(order) ? 1e9 : order;
        const double relative = std::isinf(order)
                                    ? std::max(in_a, in_b) / unit
                                    : std::pow(3 * std::pow(in_a / unit, p) + 16 * std::pow(in_b / unit, p), 1 / p);
        const double norm = nn::grad_norm(list, order);
        CHECK(norm == nn::clip_grad_norm(list, 1e-3, order));
        if (relative > largest / unit)
          CHECK(std::isinf(norm));
        else
          CHECK(norm == Catch::Approx(relative * unit).epsilon(1e-12));
        if (relative * 1e-3 * unit > 1e-5) CHECK(nn::grad_norm(list, order) == Catch::Approx(1e-3).epsilon(1e-5));
      }

  Parameter<float> f(autograd::full<float>({4}, 0));
  f.grad().fill(3e38F);  // the coefficient is no normal float
  CHECK(nn::clip_grad_norm(std::vector{&f}, 0.6) == Catch::Approx(6e38));
  for (const float g : f.grad()) CHECK(g == Catch::Approx(0.3).epsilon(1e-6));
}

namespace {

/// One parameter under two names.
struct Tied {
  Parameter<double> shared{autograd::full<double>({4}, 0)}, own{autograd::full<double>({3}, 0)};
  static void visit(auto& self, auto&& visitor) {
    visitor("embedding", self.shared);
    visitor("own", self.own);
    visitor("head", self.shared);
  }
};

}  // namespace

TEST_CASE("a shared parameter counts once", "[clip][optimizer]") {
  Tied module;
  module.shared.grad().fill(3);
  module.own.grad().fill(2);
  CHECK(nn::parameter_count(module) == 7);
  const double norm = std::sqrt(4 * 9 + 3 * 4.0);
  CHECK(nn::grad_norm(module) == Catch::Approx(norm));
  CHECK(nn::grad_norm(std::vector{&module.shared, &module.own, &module.shared}) == Catch::Approx(norm));
  CHECK(nn::clip_grad_norm(module, 1) == Catch::Approx(norm));
  CHECK(nn::grad_norm(module) == Catch::Approx(1).epsilon(1e-5));
  CHECK(nn::SGD<double>(module).parameters().size() == 2);
}

TEST_CASE("clipping what an optimizer holds leaves other gradients out", "[clip]") {
  Tied module;
  nn::SGD<double> optimizer(std::vector{&module.own}, {});
  for (int step = 0; step < 3; ++step) {  // the other gradient piles up
    optimizer.zero_grad();
    module.own.grad().fill(2);
    for (double& g : module.shared.grad()) g += 10;
  }
  CHECK(nn::grad_norm(optimizer) == Catch::Approx(std::sqrt(12)));
  CHECK(nn::clip_grad_norm(optimizer, 1) == Catch::Approx(std::sqrt(12)));
  CHECK(module.own.grad()(0) == Catch::Approx(2 / std::sqrt(12)));
  CHECK(module.shared.grad()(0) == 30);
  nn::clip_grad_value(optimizer, 0.25);
  CHECK(module.own.grad()(0) == 0.25);
  CHECK(module.shared.grad()(0) == 30);
}

TEST_CASE("a parameter or gradient of another shape than at first is refused", "[optimizer]") {
  const auto step = [](auto make) {
    nn::Parameter<double> p(autograd::full<double>({2, 3}, 1)), q(autograd::full<double>({4}, 1));
    auto optimizer = make(std::vector{&p, &q});
    q.grad().fill(1);
    SECTION("a parameter") {
      q = nn::Parameter<double>(autograd::full<double>({400}, 1));
      CHECK_THROWS_WITH(
          optimizer.step(),
          "optimizer: parameter 1 had shape (4) when the optimizer was made, and has (400) with a gradient of "
          "(400) now; nothing was updated; make an optimizer for it");
    }
    SECTION("as many elements in other places") {
      p = nn::Parameter<double>(autograd::full<double>({3, 2}, 1));
      CHECK_THROWS_AS(optimizer.step(), autograd::ValueError);
      CHECK(q.value()(0) == 1);
    }
    SECTION("a gradient") {
      q.grad() = autograd::zeros<double>({2});
      CHECK_THROWS_AS(optimizer.step(), autograd::ValueError);
      CHECK(nn::clip_grad_norm(optimizer.parameters(), 1) == 0);
    }
  };
  SECTION("SGD") {
    step([](auto list) { return nn::SGD<double>(list, {.momentum = 0.9}); });
  }
  SECTION("Adam") {
    step([](auto list) { return nn::Adam<double>(list); });
  }

  nn::Parameter<double> p(autograd::full<double>({4}, 1));
  nn::ExponentialMovingAverage<double> average({&p}, 0.5);
  p = nn::Parameter<double>(autograd::full<double>({2}, 1));
  CHECK_THROWS_AS(average.update(), autograd::ValueError);
  CHECK_THROWS_AS(average.swap(), autograd::ValueError);
}
