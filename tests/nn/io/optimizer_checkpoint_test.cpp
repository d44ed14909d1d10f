// Every optimizer, schedule and average goes on from a checkpoint bit for bit.
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/checkpoint.hpp"
#include "nn/train/adaptive_optimizers.hpp"
#include "nn/train/moving_average.hpp"
#include "nn/train/optimizer.hpp"
#include "nn/train/schedule.hpp"

using saved::bytes_of;
using saved::Folder;
using saved::Small;

namespace {

template <class Optimizer>
struct Training {
  Small<float> model;
  autograd::Generator generator{1};
  Optimizer optimizer;
  nn::Scheduler scheduler{optimizer, nn::Schedule(nn::CosineAnnealingLR{.t_max = 40})};
  nn::ReduceLROnPlateau plateau{optimizer, {.patience = 3}};
  nn::ExponentialMovingAverage<float> average{model, 0.9};

  explicit Training(auto options) : optimizer(model, options) {}

  void step() {
    nn::for_each_parameter(model, [&](const std::string&, nn::Parameter<float>& p) {
      for (float& g : p.grad()) g = static_cast<float>(autograd::uniform(generator) - 0.4);
    });
    optimizer.step();
    scheduler.step();
    plateau.step(1);
    average.update();
  }

  static void visit_state(auto& self, auto&& visitor) {
    visitor("model", self.model);
    visitor("generator", self.generator);
    visitor("optimizer", self.optimizer);
    visitor("scheduler", self.scheduler);
    visitor("plateau", self.plateau);
    visitor("average", self.average);
  }
};

template <class T>
std::string state_of(const T& training) {
  const Folder folder;
  nn::io::save_checkpoint(training, folder.path / "state");
  return bytes_of(folder.path / "state");
}

template <class Optimizer>
void check(auto options) {
  const Folder folder;
  Training<Optimizer> whole(options);
  for (int k = 0; k < 20; ++k) {
    Training<Optimizer> resumed(options);
    resumed.step();
    nn::io::save_checkpoint(whole, folder.path / "run");
    nn::io::load_checkpoint(resumed, folder.path / "run");
    for (int j = 0; j < 5; ++j) resumed.step();
    Training<Optimizer> straight(options);
    for (int j = 0; j < k + 5; ++j) straight.step();
    CHECK(state_of(resumed) == state_of(straight));
    whole.step();
  }
}

}  // namespace

TEST_CASE("every optimizer goes on bit for bit") {
  check<nn::SGD<float>>(nn::SGDOptions{.momentum = 0.9});
  check<nn::RMSProp<float>>(nn::RMSPropOptions{.momentum = 0.5, .centered = true});
  check<nn::Adam<float>>(nn::AdamOptions{.amsgrad = true});
  check<nn::AdamW<float>>(nn::AdamWOptions{});
  check<nn::NAdam<float>>(nn::NAdamOptions{});
  check<nn::RAdam<float>>(nn::RAdamOptions{});
  check<nn::Adamax<float>>(nn::AdamaxOptions{});
  check<nn::Adagrad<float>>(nn::AdagradOptions{});
  check<nn::Adadelta<float>>(nn::AdadeltaOptions{});
}
