// Everything that the library writes and reads is the same where numbers are written as in Germany: 1.234.567,8.
#include <clocale>
#include <functional>
#include <locale>
#include <map>
#include <sstream>

#include "autograd/anomaly.hpp"
#include "autograd/autograd.hpp"
#include "autograd/number_text.hpp"
#include "catch.hpp"
#include "io/models.hpp"
#include "io/networks.hpp"
#include "nn/audit/html.hpp"
#include "nn/audit/stock.hpp"
#include "nn/dropout.hpp"
#include "nn/initialize.hpp"
#include "nn/io/checkpoint.hpp"
#include "nn/io/save_load.hpp"
#include "nn/io/self_test.hpp"
#include "nn/loss.hpp"
#include "nn/recurrent/lstm.hpp"
#include "nn/train/adaptive_optimizers.hpp"
#include "nn/train/clip.hpp"
#include "nn/train/moving_average.hpp"
#include "nn/train/schedule.hpp"

using autograd::Array;
using autograd::Tape;
using autograd::Variable;
using networks::random_network;
using nn::io::Format;
using Kind = nn::io::Layer::Kind;

namespace {

struct German : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// The locale of C++, and that of C if there is such a one on this system.
class InGermany {
 public:
  InGermany() : before_(std::locale::global(std::locale(std::locale::classic(), new German))) {
    for (const char* const name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE"})
      if (std::setlocale(LC_ALL, name)) return;
    WARN("no locale of C with decimal commas is installed: that of C++ is tested alone");
  }
  ~InGermany() {
    std::locale::global(before_);
    std::setlocale(LC_ALL, "C");
  }

 private:
  std::locale before_;
};

std::string error_of(const auto& f) {
  try {
    f();
    return "no error";
  } catch (const autograd::Error& error) {
    return error.what();
  }
}

struct Training {
  saved::Small<float> model;
  autograd::Generator generator{12798134};
  nn::Adam<float> adam{model, {.learning_rate = 0.0123}};
  nn::Scheduler scheduler{adam, nn::Schedule(nn::CosineAnnealingLR{.t_max = 4000})};
  nn::ReduceLROnPlateau plateau{adam, {.patience = 3}};
  nn::ExponentialMovingAverage<float> average{model, 0.9};
  std::vector<std::size_t> order{1234567, 7654321};
  double loss = 1234.5678;

  void step() {
    nn::for_each_parameter(model, [&](const std::string&, nn::Parameter<float>& p) {
      for (float& g : p.grad()) g = static_cast<float>(autograd::uniform(generator) - 0.4);
    });
    adam.step();
    scheduler.step();
    plateau.step(loss);
    average.update();
  }

  static void visit_state(auto& self, auto&& visitor) {
    visitor("model", self.model);
    visitor("generator", self.generator);
    visitor("adam", self.adam);
    visitor("scheduler", self.scheduler);
    visitor("plateau", self.plateau);
    visitor("average", self.average);
    visitor("order", self.order);
    visitor("loss", self.loss);
  }
};

using Text = std::function<std::string()>;

/// Every kind of text that holds numbers, by name.
std::map<std::string, Text> texts() {
  std::map<std::string, Text> all;
  all["checkpoint"] = [] {
    const saved::Folder folder;
    Training training;
    training.step();
    nn::io::save_checkpoint(training, folder.path / "run");
    Training other;
    other.step();
    other.step();
    nn::io::load_checkpoint(other, folder.path / "run");
    nn::io::save_checkpoint(other, folder.path / "again");
    CHECK((saved::bytes_of(folder.path / "run") == saved::bytes_of(folder.path / "again")));
    return saved::bytes_of(folder.path / "run");
  };
  all["JSON"] = [] {
    saved::Small<double> model, other;
    model.w.update([](auto& values) { values.fill(-12345.678e-9); });
    const std::string text = nn::io::to_bytes(model);
    nn::io::from_bytes(other, text);
    CHECK(saved::bits(model) == saved::bits(other));
    std::ostringstream stream;
    nn::io::save(model, stream);
    std::istringstream back(stream.str());
    nn::io::load(other, back);
    CHECK(stream.str() == text);
    return text;
  };
  for (const Format format : {Format::native, Format::state_dict, Format::rtneural, Format::aidax, Format::guitarml,
                              Format::nam, Format::keras, Format::onnx, Format::tfjs, Format::safetensors})
    all[nn::io::name(format)] = [format] {
      const saved::Folder folder;
      const auto path = folder.path / "file";
      const nn::io::SaveOptions options{
          .format = format, .self_test = true, .sample_rate = format == Format::state_dict ? 0. : 44100.};
      nn::io::save(random_network(1, {{Kind::lstm, 12}, {Kind::linear, 1}}), path, options);
      std::string bytes;
      for (const std::string& name : folder.files()) bytes += name + saved::bytes_of(folder.path / name);
      nn::io::save(nn::io::load(path, {.format = format}), path, options);
      std::string again;
      for (const std::string& name : folder.files()) again += name + saved::bytes_of(folder.path / name);
      return bytes + again;
    };
  all["self-test that fails"] = [] {
    nn::io::Network network = random_network(1, {{Kind::lstm, 3}, {Kind::linear, 1}});
    network.self_test = nn::io::SelfTest{nn::io::zero_tensor({2, 1}), nn::io::zero_tensor({2, 1}), 1e-5};
    network.self_test->output.values[0] = 1234.5;
    return error_of([&] { nn::io::verify_self_test(network, "file"); }) + error_of([&] {
             nn::io::from_bytes("{\"format\": \"wengert/1\", \"dtype\": \"float32\", \"parameters\": 1.5}");
           });
  };
  all["tape"] = [] {
    Tape<double> tape;
    Variable<double> x = tape.variable(Array<double>{1.5, -2.5, 1234.5});
    for (int k = 0; k < 1100; ++k) x = leaky_relu(x, 0.25) * 1.125;
    std::ostringstream text;
    tape.print(text);
    tape.write_dot(text);
    CHECK(text.str().starts_with(tape.print()));
    return text.str();
  };
  all["anomaly"] = [] {
    Tape<double> tape;
    const auto x = tape.variable(autograd::full<double>({1, 2000}, -1234.5));
    log(x);
    return autograd::first_anomaly(tape)->text;
  };
  all["gradient check"] = [] {
    std::ostringstream text;
    text << autograd::gradient_check([](auto x) { return exp(x[0]) * x[0]; }, {autograd::full<double>({1500}, 1.25)});
    return text.str();
  };
  all["audit"] = [] {
    namespace audit = nn::audit;
    const auto& right = audit::stock_derivation("lstm");
    const auto truth = audit::stock_truth("lstm", {});
    std::string text = "dWx = 1.5 * " + audit::to_string(right.equations[0].formula);
    const auto report = audit::audit(right, truth);
    const auto other = audit::audit(audit::stock_derivation("peephole"), audit::stock_truth("peephole", {.seed = 2}));
    for (const auto& term : report.terms) text += term.term + autograd::number_text(term.digits);
    return text + report.verdict + other.verdict + audit::to_html(report, audit::flow_of(truth, right), "title");
  };
  all["errors"] = [] {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1, 2});
    autograd::Generator generator(1);
    nn::Parameter<double> parameter(Array<double>{1, 2});
    std::string text;
    for (const std::function<void()>& f : std::vector<std::function<void()>>{
             [&] { dropout(x, 1.5, generator); }, [&] { nn::Dropout<double>(1.5); }, [&] { huber_loss(x, x, -0.5); },
             [&] { smooth_l1_loss(x, x, -0.5); }, [&] { norm(x, {0}, -1.5); },
             [&] { nn::normal<double>({2}, 0, -1.5, generator); },
             [&] { nn::clip_grad_norm<double>({&parameter}, -1.5); },
             [&] { nn::clip_grad_value<double>({&parameter}, -1.5); },
             [&] { nn::Adam<double>(std::vector{&parameter}, {.beta1 = 1.5}); },
             [&] { nn::ExponentialMovingAverage<double>(std::vector{&parameter}, 1.5); },
             [&] { nn::LSTM<double>({.input_size = 1, .hidden_size = 1, .dropout = 1.5}, generator); }})
      text += error_of(f) + '\n';
    CHECK(text.find("no error") == std::string::npos);
    return text;
  };
  all["numbers"] = [] {
    CHECK(autograd::number_from_text("1234.5") == 1234.5);
    CHECK(autograd::number_from_text("+1e-3") == 1e-3);
    CHECK(autograd::number_from_text("-.5") == -0.5);
    for (const char* const text : {"", "+", "+-1", "1,5", "1.234.5", "1 ", " 1", "1e999", "0x10", "1_000"})
      CHECK(!autograd::number_from_text(text));
    return autograd::number_text(1234567.8) + autograd::number_text(0.1, 17) + autograd::fixed_text(1234567.8) +
           autograd::fixed_text(-1e300, 2);
  };
  return all;
}

}  // namespace

TEST_CASE("numbers are written as the C locale writes them") {
  for (const double value :
       {0.0, -0.0, 1.0, 0.1, 1234567.8, 1e-7, -1e300, 5e-324, 0.5, 2.5, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(autograd::fixed_text(value) == std::to_string(value));
    for (const int digits : {2, 6, 9, 17}) {
      char text[64];
      std::snprintf(text, sizeof text, "%.*g", digits, value);
      CHECK(autograd::number_text(value, digits) == text);
    }
  }
}

TEST_CASE("every text with numbers is the same in a locale with decimal commas and grouping") {
  for (const auto& [name, text] : texts()) {
    INFO(name);
    const std::string here = text();
    std::string there;
    {
      const InGermany german;
      there = text();
    }
    CHECK(here.size() > 20);
    CHECK((here == there));
  }
}
