// Optimizers, schedules and clipping: trajectories against PyTorch's.
#include "conformance/optimizers.hpp"

#include <cmath>
#include <limits>
#include <set>

#include "autograd/error.hpp"
#include "nn/train/clip.hpp"

namespace conformance {

using autograd::FormatError;
using nlohmann::json;
using nn::Parameter;

namespace {

/// The arguments of one optimizer or schedule; each must be asked for.
class Arguments {
 public:
  explicit Arguments(const json& values) : values_(values) {
    for (const auto& [key, value] : values.items()) unread_.insert(key);
  }
  template <class Value>
  Arguments& read(const char* key, Value& value) {
    unread_.erase(key);
    try {
      if (values_.contains(key)) value = values_.at(key).get<Value>();
    } catch (const json::exception& error) {
      throw FormatError("oracle: argument " + std::string(key) + ": " + error.what());
    }
    return *this;
  }
  /// One of some names.
  template <class Value>
  Arguments& choose(const char* key, std::initializer_list<std::pair<const char*, Value>> names, Value& value) {
    std::string name;
    read(key, name);
    if (name.empty()) return *this;
    for (const auto& [known, meaning] : names)
      if (name == known) {
        value = meaning;
        return *this;
      }
    throw Unknown(std::string(key) + " \"" + name + "\"");
  }
  void finish() const {
    if (!unread_.empty()) throw Unknown("argument \"" + *unread_.begin() + "\"");
  }

 private:
  const json& values_;
  std::set<std::string> unread_;
};

template <class Options>
void read_betas(Arguments& from, Options& to) {
  std::vector<double> betas{to.beta1, to.beta2};
  from.read("betas", betas);
  if (betas.size() != 2) throw FormatError("oracle: argument betas: expected two numbers");
  to.beta1 = betas[0];
  to.beta2 = betas[1];
  from.read("eps", to.eps);
}

void read_options(Arguments& from, nn::SGDOptions& to) {
  from.read("momentum", to.momentum).read("dampening", to.dampening).read("nesterov", to.nesterov);
}
void read_options(Arguments& from, nn::RMSPropOptions& to) {
  from.read("alpha", to.alpha).read("eps", to.eps).read("momentum", to.momentum).read("centered", to.centered);
}
void read_options(Arguments& from, nn::AdamOptions& to) {
  read_betas(from, to);
  from.read("amsgrad", to.amsgrad);
}
void read_options(Arguments& from, nn::AdamWOptions& to) {
  read_betas(from, to);
  from.read("amsgrad", to.amsgrad);
}
void read_options(Arguments& from, nn::NAdamOptions& to) {
  read_betas(from, to);
  from.read("momentum_decay", to.momentum_decay);
}
void read_options(Arguments& from, nn::RAdamOptions& to) { read_betas(from, to); }
void read_options(Arguments& from, nn::AdamaxOptions& to) { read_betas(from, to); }
void read_options(Arguments& from, nn::AdagradOptions& to) {
  from.read("lr_decay", to.lr_decay)
      .read("initial_accumulator_value", to.initial_accumulator_value)
      .read("eps", to.eps);
}
void read_options(Arguments& from, nn::AdadeltaOptions& to) { from.read("rho", to.rho).read("eps", to.eps); }

template <class T, template <class> class Optimizer>
std::unique_ptr<nn::Optimizer<T>> make(const std::vector<std::vector<Parameter<T>*>>& groups,
                                       const std::vector<json>& arguments) {
  typename Optimizer<T>::Groups result;
  for (std::size_t k = 0; k < groups.size(); ++k) {
    result.push_back({groups[k], {}});
    auto& options = result.back().options;
    Arguments from(arguments[k]);
    from.read("lr", options.learning_rate)
        .read("weight_decay", options.weight_decay)
        .read("maximize", options.maximize);
    read_options(from, options);
    from.finish();
  }
  return std::make_unique<Optimizer<T>>(result);
}

}  // namespace

template <class T>
std::unique_ptr<nn::Optimizer<T>> make_optimizer(const std::string& kind,
                                                 const std::vector<std::vector<Parameter<T>*>>& groups,
                                                 const std::vector<json>& arguments) {
  if (kind == "SGD") return make<T, nn::SGD>(groups, arguments);
  if (kind == "RMSprop") return make<T, nn::RMSProp>(groups, arguments);
  if (kind == "Adam") return make<T, nn::Adam>(groups, arguments);
  if (kind == "AdamW") return make<T, nn::AdamW>(groups, arguments);
  if (kind == "NAdam") return make<T, nn::NAdam>(groups, arguments);
  if (kind == "RAdam") return make<T, nn::RAdam>(groups, arguments);
  if (kind == "Adamax") return make<T, nn::Adamax>(groups, arguments);
  if (kind == "Adagrad") return make<T, nn::Adagrad>(groups, arguments);
  if (kind == "Adadelta") return make<T, nn::Adadelta>(groups, arguments);
  throw Unknown("optimizer \"" + kind + "\"");
}

template std::unique_ptr<nn::Optimizer<float>> make_optimizer(const std::string&,
                                                              const std::vector<std::vector<Parameter<float>*>>&,
                                                              const std::vector<json>&);
template std::unique_ptr<nn::Optimizer<double>> make_optimizer(const std::string&,
                                                               const std::vector<std::vector<Parameter<double>*>>&,
                                                               const std::vector<json>&);

namespace {

nn::Schedule schedule_of(const std::string& kind, const json& arguments);

nn::SequentialLR sequence_of(const json& arguments) {
  nn::SequentialLR s;
  json parts;
  Arguments from(arguments);
  from.read("milestones", s.milestones).read("schedulers", parts).finish();
  for (const json& part : parts)
    s.schedules.push_back(schedule_of(part.at("scheduler").get<std::string>(), part.at("args")));
  return s;
}

/// f(the schedule called `kind`).
template <class F>
void with_schedule(const std::string& kind, const json& arguments, F f) {
  Arguments from(arguments);
  const auto done = [&](auto schedule) {
    from.finish();
    f(schedule);
  };
  if (kind == "StepLR") {
    nn::StepLR s{1};
    from.read("step_size", s.step_size).read("gamma", s.gamma);
    done(s);
  } else if (kind == "MultiStepLR") {
    nn::MultiStepLR s;
    from.read("milestones", s.milestones).read("gamma", s.gamma);
    done(s);
  } else if (kind == "ExponentialLR") {
    nn::ExponentialLR s{1};
    from.read("gamma", s.gamma);
    done(s);
  } else if (kind == "LinearLR") {
    nn::LinearLR s;
    from.read("start_factor", s.start_factor).read("end_factor", s.end_factor).read("total_iters", s.total_iters);
    done(s);
  } else if (kind == "ConstantLR") {
    nn::ConstantLR s;
    from.read("factor", s.factor).read("total_iters", s.total_iters);
    done(s);
  } else if (kind == "PolynomialLR") {
    nn::PolynomialLR s;
    from.read("total_iters", s.total_iters).read("power", s.power);
    done(s);
  } else if (kind == "CosineAnnealingLR") {
    nn::CosineAnnealingLR s{0};
    from.read("T_max", s.t_max).read("eta_min", s.eta_min);
    done(s);
  } else if (kind == "CosineAnnealingWarmRestarts") {
    nn::CosineAnnealingWarmRestarts s{0};
    from.read("T_0", s.t_0).read("T_mult", s.t_mult).read("eta_min", s.eta_min);
    done(s);
  } else if (kind == "OneCycleLR") {
    using Anneal = nn::OneCycleLR::Anneal;
    nn::OneCycleLR s{0, 0};
    from.read("max_lr", s.max_lr).read("total_steps", s.total_steps).read("pct_start", s.pct_start);
    from.read("div_factor", s.div_factor).read("final_div_factor", s.final_div_factor);
    from.read("three_phase", s.three_phase).read("cycle_momentum", s.cycle_momentum);
    from.read("base_momentum", s.base_momentum).read("max_momentum", s.max_momentum);
    from.choose<Anneal>("anneal_strategy", {{"cos", Anneal::cosine}, {"linear", Anneal::linear}}, s.anneal);
    done(s);
  } else if (kind == "CyclicLR") {
    using Mode = nn::CyclicLR::Mode;
    nn::CyclicLR s{0, 0};
    from.read("base_lr", s.base_lr).read("max_lr", s.max_lr).read("step_size_up", s.step_size_up);
    from.read("step_size_down", s.step_size_down).read("gamma", s.gamma).read("cycle_momentum", s.cycle_momentum);
    from.read("base_momentum", s.base_momentum).read("max_momentum", s.max_momentum);
    from.choose<Mode>(
        "mode", {{"triangular", Mode::triangular}, {"triangular2", Mode::triangular2}, {"exp_range", Mode::exp_range}},
        s.mode);
    done(s);
  } else if (kind == "SequentialLR") {
    f(sequence_of(arguments));
  } else {
    throw Unknown("scheduler \"" + kind + "\"");
  }
}

nn::Schedule schedule_of(const std::string& kind, const json& arguments) {
  nn::Schedule result;
  with_schedule(kind, arguments, [&](const auto& schedule) { result = schedule; });
  return result;
}

}  // namespace

void start_schedule(AnySchedule& to, nn::Rates& rates, const std::string& kind, const json& arguments) {
  if (kind != "ReduceLROnPlateau")
    return with_schedule(kind, arguments, [&](const auto& schedule) { to.by_step.emplace(rates, schedule); });
  using Mode = nn::ReduceLROnPlateau::Mode;
  using Threshold = nn::ReduceLROnPlateau::Threshold;
  nn::ReduceLROnPlateau::Options options;
  Arguments from(arguments);
  from.choose<Mode>("mode", {{"min", Mode::min}, {"max", Mode::max}}, options.mode);
  from.choose<Threshold>("threshold_mode", {{"rel", Threshold::relative}, {"abs", Threshold::absolute}},
                         options.threshold_mode);
  from.read("factor", options.factor).read("patience", options.patience).read("threshold", options.threshold);
  from.read("cooldown", options.cooldown).read("min_lr", options.min_lr).read("eps", options.eps).finish();
  to.by_metric.emplace(rates, options);
}

namespace {

/// The JSON pointer of entry k of a list.
std::string entry(const std::string& list, std::size_t k) { return list + "/" + std::to_string(k); }

std::vector<Parameter<double>> parameters_of(const Case& c, const std::string& list) {
  std::vector<Parameter<double>> result;
  for (std::size_t k = 0; k < c.count(list); ++k) result.emplace_back(c.tensor(entry(list, k)));
  return result;
}

std::vector<Parameter<double>*> pointers(std::vector<Parameter<double>>& parameters) {
  std::vector<Parameter<double>*> result;
  for (Parameter<double>& p : parameters) result.push_back(&p);
  return result;
}

}  // namespace

void run_optimizer(const Case& c, Findings& findings) {
  std::vector<Parameter<double>> parameters = parameters_of(c, "/params");
  const std::vector<Parameter<double>*> all = pointers(parameters);
  std::vector<std::vector<Parameter<double>*>> groups;
  std::vector<json> arguments;
  if (c.has("/groups")) {
    if (c.count("/groups") != all.size()) throw FormatError("oracle " + c.name() + ", /groups: one for each parameter");
    for (std::size_t k = 0; k < all.size(); ++k) {
      groups.push_back({all[k]});
      arguments.push_back(c.json("/args"));
      arguments.back().update(c.json(entry("/groups", k)));
    }
  } else {
    groups = {all};
    arguments = {c.json("/args")};
  }
  const auto optimizer = make_optimizer<double>(c.get<std::string>("/optimizer"), groups, arguments);
  AnySchedule schedule;
  if (c.has("/scheduler"))
    start_schedule(schedule, *optimizer, c.get<std::string>("/scheduler/scheduler"), c.json("/scheduler/args"));

  for (std::size_t step = 0; step < c.count("/steps"); ++step) {
    const std::string at = entry("/steps", step), quantity = "step " + std::to_string(step) + " ";
    double loss = 0;
    for (std::size_t k = 0; k < all.size(); ++k) {
      const Array<double> a = c.tensor(entry("/a", k)), t = c.tensor(entry("/t", k));
      const Array<double>& p = all[k]->value();
      if (a.size() != p.size() || t.size() != p.size())
        throw FormatError("oracle " + c.name() + ": a, t and params of different sizes");
      for (std::size_t n = 0; n < p.size(); ++n) {
        const double off = p.data()[n] - t.data()[n];
        loss += 0.5 * a.data()[n] * off * off + 0.1 * std::sin(p.data()[n]);
        all[k]->grad().data()[n] = a.data()[n] * off + 0.1 * std::cos(p.data()[n]);
      }
      findings.compare(quantity + "grads/" + std::to_string(k), all[k]->grad(), c.tensor(entry(at + "/grads", k)),
                       trajectory);
    }
    findings.compare(quantity + "loss", loss, c.get<double>(at + "/loss"), trajectory);
    if (c.has("/clip_grad_norm")) {
      const double norm = nn::clip_grad_norm(all, c.get<double>("/clip_grad_norm"));
      findings.compare(quantity + "total_norm", norm, c.get<double>(at + "/total_norm"), trajectory);
      for (std::size_t k = 0; k < all.size(); ++k)
        findings.compare(quantity + "clipped_grads/" + std::to_string(k), all[k]->grad(),
                         c.tensor(entry(at + "/clipped_grads", k)), trajectory);
    }
    const auto rates = c.get<std::vector<double>>(at + "/lr");
    if (rates.size() != groups.size()) throw FormatError("oracle " + c.name() + ", " + at + "/lr: one for each group");
    for (std::size_t group = 0; group < groups.size(); ++group)
      findings.compare(quantity + "lr", optimizer->learning_rates[group], rates[group], single);
    optimizer->step();
    if (schedule.by_step) schedule.by_step->step();
    for (std::size_t k = 0; k < all.size(); ++k)
      findings.compare(quantity + "params_after/" + std::to_string(k), all[k]->value(),
                       c.tensor(entry(at + "/params_after", k)), trajectory);
  }
}

void run_scheduler(const Case& c, Findings& findings) {
  const auto base = c.get<std::vector<double>>("/base_lr");
  std::vector<Parameter<double>> parameters(base.size());
  std::vector<std::vector<Parameter<double>*>> groups;
  std::vector<json> arguments;
  const bool moves = c.has("/momentum_or_beta1");
  const auto kind = c.get<std::string>("/optimizer");
  for (std::size_t k = 0; k < base.size(); ++k) {
    groups.push_back({&parameters[k]});
    arguments.push_back({{"lr", base[k]}});
    if (moves && kind == "SGD") arguments.back()["momentum"] = 0.9;
  }
  const auto optimizer = make_optimizer<double>(kind, groups, arguments);
  AnySchedule schedule;
  start_schedule(schedule, *optimizer, c.get<std::string>("/scheduler"), c.json("/args"));

  const std::size_t steps = c.get<std::size_t>("/steps");
  if (c.count("/lr") != steps + 1) throw FormatError("oracle " + c.name() + ", /lr: not one more than steps");
  for (std::size_t step = 0; step <= steps; ++step) {
    const auto expected = c.get<std::vector<double>>(entry("/lr", step));
    if (expected.size() != base.size()) throw FormatError("oracle " + c.name() + ", /lr: one for each group");
    for (std::size_t group = 0; group < base.size(); ++group)
      findings.compare("lr " + std::to_string(step) + " of group " + std::to_string(group),
                       optimizer->learning_rates[group], expected[group], single);
    if (moves && optimizer->momenta.empty()) return findings.fail("momentum_or_beta1: the optimizer has none");
    if (moves) {
      const json& value = c.json(entry("/momentum_or_beta1", step));
      findings.compare("momentum_or_beta1 " + std::to_string(step), optimizer->momenta[0],
                       (value.is_array() ? value.at(0) : value).get<double>(), single);
    }
    if (step == steps) break;
    if (schedule.by_metric)
      schedule.by_metric->step(c.get<double>(entry("/metrics", step)));
    else
      schedule.by_step->step();
  }
}

void run_clipping(const Case& c, Findings& findings) {
  const auto op = c.get<std::string>("/op");
  std::vector<Parameter<double>> parameters = parameters_of(c, "/grads");
  const std::vector<Parameter<double>*> all = pointers(parameters);
  for (Parameter<double>* p : all) p->grad() = p->value();
  if (op == "clip_grad_value_") {
    nn::clip_grad_value(all, c.get<double>("/clip_value"));
  } else if (op == "clip_grad_norm_") {
    const double norm = nn::clip_grad_norm(all, c.get<double>("/max_norm"), c.number("/norm_type"));
    findings.compare("total_norm", norm, c.get<double>("/total_norm"), single);
  } else {
    throw Unknown("op \"" + op + "\"");
  }
  for (std::size_t k = 0; k < all.size(); ++k)
    findings.compare("clipped/" + std::to_string(k), all[k]->grad(), c.tensor(entry("/clipped", k)), single);
}

}  // namespace conformance
