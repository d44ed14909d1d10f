// Long and deep derivations: audited, or refused by name, and in time that grows with their length.

#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/audit/audit.hpp"
#include "nn/audit/mistakes.hpp"
#include "nn/audit/stock.hpp"

using namespace nn::audit;
using autograd::FormatError;
using Catch::Matchers::Contains;

namespace {

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t k = 0; k < times; ++k) result += text;
  return result;
}

}  // namespace

TEST_CASE("formulas that are long, or deep, in every way") {
  const std::string begin = "dc[t] = ";
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"1" + repeated("+1", 24000), "more than 500 operations one after another"},
           {"1" + repeated("-1", 24000), "more than 500 operations one after another"},
           {"1" + repeated("*2", 24000), "more than 500 operations one after another"},
           {"1" + repeated("/2", 24000), "more than 500 operations one after another"},
           {"c[t]" + repeated("@Whi", 24000), "more than 500 operations one after another"},
           {"c[t]" + repeated(".T", 24000), "more than 500 operations one after another"},
           {repeated("-", 24000) + "1", "more than 200 signs in a row"},
           {repeated("(", 24000) + "1" + repeated(")", 24000), "more than 200 formulas inside one another"},
           {repeated("tanh(", 24000) + "1" + repeated(")", 24000), "more than 200 formulas inside one another"},
           {repeated("1-(", 24000) + "1" + repeated(")", 24000), "more than 200 formulas inside one another"},
           {repeated("[", 24000) + "1" + repeated("]", 24000), "more than 200 formulas inside one another"},
           {"[1" + repeated(",1", 24000) + "]", "more than 5000 names, numbers and operations"},
           {"sum_t(sum_t(sum_t(c[t])))", "sum_t() within sum_t()"},
           {repeated("x", 24000) + "[t]", "a name of more than 100 letters"}}) {
    INFO(text.substr(0, 20));
    CHECK_THROWS_MATCHES(parse(begin + text), FormatError,
                         Catch::Matchers::Predicate<FormatError>([&, c = complaint](const FormatError& error) {
                           return std::string(error.what()).find(c) != std::string::npos;
                         }));
  }
  // Just within the limits, and on the stack of a thread.
  const Truth truth = stock_truth("lstm", {.steps = 2});
  for (const std::string& text : {"1" + repeated("+1", 499), "c[t]" + repeated(".T.T", 249),
                                  repeated("-", 199) + "c[t]", repeated("1-(", 198) + "c[t]" + repeated(")", 198)}) {
    INFO(text.substr(0, 20));
    CHECK_FALSE(audit(parse(begin + text), truth).agrees);
  }
  CHECK_THROWS_AS(
      [] {
        Formula e = number(1);
        for (int k = 0; k < 100000; ++k) e = operation(Expression::Kind::negate, {e});
      }(),
      autograd::ValueError);
}

TEST_CASE("definitions through one another, each deep") {
  // 100 helpers, whose names stand 190 formulas deep.
  std::string text = "dc[t] = a0[t]\na100[t] = c[t]\n";
  for (int k = 0; k < 100; ++k)
    text += "a" + std::to_string(k) + "[t] = " + repeated("1-(", 190) + "a" + std::to_string(k + 1) + "[t]" +
            repeated(")", 190) + "\n";
  CHECK_FALSE(audit(parse(text), stock_truth("lstm", {.steps = 2})).agrees);
}

TEST_CASE("as many equations as a file may have are parsed and worked out one by one") {
  std::string text = "dc[t] = a0[t]\n";
  const int helpers = 20000;
  for (int k = 0; k < helpers; ++k) text += "a" + std::to_string(k) + "[t] = a" + std::to_string(k + 1) + "[t]\n";
  text += "a" + std::to_string(helpers) + "[t] = dh[t] * o[t] * (1 - tanh(c[t])**2) + dc[t+1] * f[t+1]\n";
  CHECK(audit(parse(text), stock_truth("lstm", {.steps = 3})).agrees);
}

TEST_CASE("the mistakes of a long sum are made one by one, and the search for causes ends") {
  std::string sum = "dc[t] = c[t]";
  for (int k = 0; k < 400; ++k) sum += " + c[t] * o[t]";
  const Derivation hand = parse(sum);
  const Truth truth = stock_truth("lstm", {.steps = 3});
  std::size_t made = 0;
  each_mistake(hand.equations[0], {truth.values, truth.gates, nullptr}, true,
               [&](const Mistake&) { return ++made < 7; });
  CHECK(made == 7);

  const Report report = audit(hand, truth);
  CHECK_FALSE(report.agrees);
  CHECK_FALSE(report.all_tried);
  CHECK(report.tried > 1000);
  CHECK(audit(stock_derivation("lstm"), truth).all_tried);
  CHECK(audit(parse("dc[t] = dh[t] * o[t] * (1 - tanh(c[t])**2)"), truth).all_tried);
}
