// Optimizers and clipping against PyTorch's.
#include "nn/optimizer.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/clip.hpp"
#include "oracle.hpp"

using autograd::Array;
using autograd::ValueError;
using nn::Optimizer;
using nn::Parameter;
using oracle::agree;
using oracle::Case;

namespace {

/// The arguments of one parameter group; `seen` counts those that were asked for.
struct Arguments {
  nlohmann::json json;
  std::size_t seen = 0;

  template <class Value>
  void read(const char* key, Value& value) {
    if (!json.contains(key)) return;
    ++seen;
    json.at(key).get_to(value);
  }
};

/// The optimizer of a case for some parameters, or nothing if it has an argument that is not supported.
template <class T>
std::unique_ptr<Optimizer<T>> make(const std::string& kind, Arguments arguments,
                                   std::vector<Parameter<T>*> parameters) {
  std::unique_ptr<Optimizer<T>> result;
  if (kind == "SGD") {
    nn::SGDOptions options;
    arguments.read("lr", options.learning_rate);
    arguments.read("momentum", options.momentum);
    arguments.read("dampening", options.dampening);
    arguments.read("weight_decay", options.weight_decay);
    arguments.read("nesterov", options.nesterov);
    result = std::make_unique<nn::SGD<T>>(std::move(parameters), options);
  } else if (kind == "RMSprop") {
    nn::RMSPropOptions options;
    arguments.read("lr", options.learning_rate);
    arguments.read("alpha", options.alpha);
    arguments.read("eps", options.eps);
    arguments.read("weight_decay", options.weight_decay);
    arguments.read("momentum", options.momentum);
    arguments.read("centered", options.centered);
    result = std::make_unique<nn::RMSProp<T>>(std::move(parameters), options);
  } else if (kind == "Adam") {
    nn::AdamOptions options;
    std::vector<double> betas{options.beta1, options.beta2};
    arguments.read("lr", options.learning_rate);
    arguments.read("betas", betas);
    arguments.read("eps", options.eps);
    arguments.read("weight_decay", options.weight_decay);
    options.beta1 = betas.at(0);
    options.beta2 = betas.at(1);
    result = std::make_unique<nn::Adam<T>>(std::move(parameters), options);
  }
  return arguments.seen == arguments.json.size() ? std::move(result) : nullptr;
}

/// The JSON pointer of entry k of a list.
std::string entry(std::string list, std::size_t k) { return list.append("/").append(std::to_string(k)); }

template <class T>
bool follows(const Case& c, double atol) {
  std::vector<Parameter<T>> parameters;
  for (std::size_t k = 0; k < c.count("/params"); ++k) parameters.emplace_back(Array<T>(c.tensor(entry("/params", k))));

  // A group is an optimizer of its own.
  std::vector<std::unique_ptr<Optimizer<T>>> optimizers;
  std::vector<Parameter<T>*> all;
  for (Parameter<T>& p : parameters) all.push_back(&p);
  const auto kind = c.get<std::string>("/optimizer");
  if (!c.has("/groups")) {
    optimizers.push_back(make<T>(kind, {c.json("/args")}, all));
  } else {
    for (std::size_t k = 0; k < all.size(); ++k) {
      nlohmann::json arguments = c.json("/args");
      arguments.update(c.json(entry("/groups", k)));
      optimizers.push_back(make<T>(kind, {arguments}, {all[k]}));
    }
  }
  for (const auto& optimizer : optimizers)
    if (!optimizer) return false;

  for (std::size_t step = 0; step < c.count("/steps"); ++step) {
    const std::string at = entry("/steps", step);
    CAPTURE(step);
    for (std::size_t k = 0; k < all.size(); ++k) {
      const Array<double> a = c.tensor(entry("/a", k)), t = c.tensor(entry("/t", k)), p = all[k]->value();
      for (std::size_t n = 0; n < p.size(); ++n)  // the gradient of Σ 0.5 a (p - t)² + 0.1 sin(p)
        all[k]->grad().data()[n] =
            static_cast<T>(a.data()[n] * (p.data()[n] - t.data()[n]) + 0.1 * std::cos(p.data()[n]));
      CHECK(agree(all[k]->grad(), c.tensor(entry(at + "/grads", k)), atol, atol));
    }
    if (c.has("/clip_grad_norm")) {
      const double norm = nn::clip_grad_norm(all, c.get<double>("/clip_grad_norm"));
      const double expected = c.get<double>(at + "/total_norm");
      CHECK(std::abs(norm - expected) <= atol * (1 + expected));
    }
    for (std::size_t g = 0; g < optimizers.size(); ++g) {
      optimizers[g]->learning_rate = c.get<double>(entry(at + "/lr", g));
      optimizers[g]->step();
    }
    for (std::size_t k = 0; k < all.size(); ++k)
      CHECK(agree(all[k]->value(), c.tensor(entry(at + "/params_after", k)), atol, atol));
  }
  return true;
}

double infinity_or(const Case& c, const std::string& pointer) {
  return c.json(pointer).is_string() ? std::numeric_limits<double>::infinity() : c.get<double>(pointer);
}

}  // namespace

TEST_CASE("optimizers: trajectories are PyTorch's", "[optimizer][oracle]") {
  std::size_t followed = 0;
  for (const Case& c : oracle::cases("optimizers")) {
    CAPTURE(c.name());
    const bool known = follows<double>(c, 1e-12);
    if (known) CHECK(follows<float>(c, 1e-3));
    followed += known;
  }
  // SGD 5, RMSprop 4, Adam 3, SGD in two groups, Adam with a schedule and clipping.
  CHECK(followed == 14);
}

TEST_CASE("optimizers: a step uses all of a parameter, of every size", "[optimizer]") {
  // The sizes around the width of vector registers: each element must move as the first one does.
  for (std::size_t size = 0; size <= 70; ++size)
    for (const char* kind : {"SGD", "RMSprop", "Adam"}) {
      CAPTURE(size, kind);
      Parameter<float> scalar(autograd::full<float>({}, 1)), p(autograd::full<float>({size}, 1));
      const auto optimizer = make<float>(kind, {nlohmann::json::object()}, {&scalar, &p});
      for (int step = 0; step < 2; ++step) {
        scalar.grad().fill(0.25F);
        p.grad().fill(0.25F);
        optimizer->step();
      }
      CHECK(scalar.value()() < 1);
      for (const float value : p.value()) CHECK(value == Catch::Approx(scalar.value()()).epsilon(1e-6));
      CHECK(p.version() == 2);
      optimizer->zero_grad();
      for (const float g : p.grad()) CHECK(g == 0);
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
  CHECK_THROWS_AS(nn::SGD<double>(list, {.momentum = -1}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.weight_decay = -1}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.nesterov = true}), ValueError);
  CHECK_THROWS_AS(nn::SGD<double>(list, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<double>(list, {.alpha = 1}), ValueError);
  CHECK_THROWS_AS(nn::RMSProp<double>(list, {.eps = -1}), ValueError);
  CHECK_THROWS_AS(nn::Adam<double>(list, {.beta1 = 1}), ValueError);
  CHECK_THROWS_AS(nn::Adam<double>(list, {.beta2 = -0.1}), ValueError);
  CHECK_THROWS_MATCHES(nn::Adam<double>(list, {.eps = -1}), ValueError,
                       Catch::Matchers::Message("optimizer: eps must not be negative, got -1.000000"));
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
  CHECK_THROWS_AS(nn::clip_grad_norm(module, 1, 0), ValueError);
  CHECK_THROWS_AS(nn::clip_grad_value(module, -1), ValueError);
}
