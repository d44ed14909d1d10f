// Whole training runs: a recurrent network under a Linear, from given weights, against PyTorch's.
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "conformance/networks.hpp"
#include "conformance/optimizers.hpp"
#include "nn/embedding.hpp"
#include "nn/linear.hpp"
#include "nn/train/clip.hpp"

namespace conformance {

using autograd::FormatError;

namespace {

/// emb (where there is one), rnn, fc.
struct Model {
  const Case& c;
  autograd::Generator generator{1};
  std::optional<nn::Embedding<double>> embedding;
  std::unique_ptr<Network> network;
  std::optional<nn::Linear<double>> head;
  std::vector<std::pair<std::string, Parameter<double>*>> parameters;
  std::vector<std::size_t> lengths;
  bool every_step = false, classes = false;

  explicit Model(const Case& c) : c(c), network(make_network(c)), lengths(lengths_of(c)) {
    if (c.has("/config/vocab")) {
      embedding.emplace(c.get<std::size_t>("/config/vocab"), c.get<std::size_t>("/config/embedding"), generator);
      for (const auto& [name, p] : parameters_of(*embedding)) parameters.emplace_back("emb." + name, p);
    } else if (c.has("/config/embedding")) {
      throw FormatError("oracle " + c.name() + ", /config: an embedding without a vocab");
    }
    for (const auto& [name, p] : network->parameters()) parameters.emplace_back("rnn." + name, p);
    const Array<double> weight = c.tensor("/initial_params/fc.weight");
    if (weight.dimension() != 2) throw FormatError("oracle " + c.name() + ", /initial_params/fc.weight: no matrix");
    head.emplace(weight.shape(1), weight.shape(0), generator);
    for (const auto& [name, p] : parameters_of(*head)) parameters.emplace_back("fc." + name, p);

    const auto reads = c.get<std::string>("/config/head"), loss = c.get<std::string>("/config/loss");
    every_step = reads == "linear on every step of output";
    if (!every_step && reads != "linear on the last layer's h_n (forward, then reverse, concatenated)")
      throw Unknown("config/head \"" + reads + "\"");
    classes = loss == "cross_entropy mean";
    if (!classes && loss != "mse mean") throw Unknown("config/loss \"" + loss + "\"");
    for (const char* remark : {"/config/task", "/config/T", "/config/B"}) c.has(remark);
  }

  Variable<double> predict(Tape<double>& tape) {
    const Variable<double> x = embedding ? (*embedding)(tape, c.integers("/input")) : tape.constant(c.tensor("/input"));
    const Outputs outputs = (*network)(x, std::nullopt, std::nullopt, lengths);
    if (every_step) return (*head)(outputs.output);
    const Index sides = c.get("/config/bidirectional", false) ? 2 : 1;
    std::vector<Variable<double>> last;
    for (Index k = sides; k > 0; --k)
      last.push_back(select(outputs.h_n, 0, static_cast<Index>(outputs.h_n.shape()[0]) - k));
    return (*head)(autograd::concat(std::span<const Variable<double>>(last), -1));
  }
  Variable<double> loss(Variable<double> prediction) {
    return classes ? cross_entropy(prediction, c.integers("/target"))
                   : mse_loss(prediction, prediction.tape().constant(c.tensor("/target")));
  }
  void compare(const std::string& quantity, const std::string& pointer, Findings& findings) const {
    for (const auto& [name, p] : parameters)
      findings.compare(quantity + name, p->value(), c.tensor(pointer + "/" + name), trajectory);
  }
};

}  // namespace

void run_training(const Case& c, Findings& findings) {
  Model model(c);
  load(model.parameters, c, "/initial_params");
  std::vector<Parameter<double>*> all;
  for (const auto& [name, p] : model.parameters) all.push_back(p);
  const auto optimizer =
      make_optimizer<double>(c.get<std::string>("/config/optimizer"), {all}, {c.json("/config/optimizer_args")});
  AnySchedule schedule;
  if (c.has("/config/scheduler"))
    start_schedule(schedule, *optimizer, c.get<std::string>("/config/scheduler/scheduler"),
                   c.json("/config/scheduler/args"));
  const bool clips = c.has("/config/clip_grad_norm");
  const auto losses = c.get<std::vector<double>>("/losses");
  const std::size_t steps = c.get<std::size_t>("/config/steps");
  if (losses.size() != steps) throw FormatError("oracle " + c.name() + ", /losses: one for each step");

  Tape<double> tape;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::string quantity = "step " + std::to_string(step) + " ", entry = "/" + std::to_string(step);
    tape.clear();
    optimizer->zero_grad();
    const Variable<double> loss = model.loss(model.predict(tape));
    tape.backward(loss);
    findings.compare(quantity + "loss", loss.item(), losses[step], trajectory);
    if (step == 0)
      for (const auto& [name, p] : model.parameters)
        findings.compare("grads_step0/" + name, p->grad(), c.tensor("/grads_step0/" + name), single);
    if (clips) {
      const double norm = nn::clip_grad_norm(all, c.get<double>("/config/clip_grad_norm"));
      findings.compare(quantity + "grad_norm", norm, c.get<double>("/grad_norms" + entry), trajectory);
    }
    const nlohmann::json& rate = c.json("/lr" + entry);
    findings.compare(quantity + "lr", optimizer->learning_rates[0], (rate.is_array() ? rate.at(0) : rate).get<double>(),
                     single);
    optimizer->step();
    if (schedule.by_step) schedule.by_step->step();
    if (const std::string after = "/params_after/" + std::to_string(step + 1); c.has(after))
      model.compare("params after step " + std::to_string(step) + " ", after, findings);
  }
  model.compare("final ", "/final_params", findings);
  tape.clear();
  const Variable<double> prediction = model.predict(tape);
  findings.compare("final_prediction", prediction.copy(), c.tensor("/final_prediction"), trajectory);
  findings.compare("final_loss", model.loss(prediction).item(), c.get<double>("/final_loss"), trajectory);
}

}  // namespace conformance
