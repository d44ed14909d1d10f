// What a derivation gives is compared, or refused; what it does not give is said.
#include "nn/audit/coverage.hpp"

#include "autograd/error.hpp"
#include "catch.hpp"
#include "nn/audit/audit.hpp"
#include "nn/audit/stock.hpp"

using namespace nn::audit;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::Contains;
using Names = std::vector<std::string>;

namespace {

Report audit_of(const std::string& text, const std::string& cell = "lstm", std::size_t steps = 5) {
  return audit(parse(text), stock_truth(cell, {.steps = steps}));
}

std::string refusal(const std::string& text, const std::string& cell = "lstm", std::size_t steps = 5) {
  try {
    return "agrees: " + audit_of(text, cell, steps).verdict;
  } catch (const FormatError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a left side that is neither of the cell nor used is refused, with the names that are near") {
  const std::string right = "do[t] = dh[t] * tanh(c[t])\n";
  const auto expected = [](int line, const std::string& name, const std::string& near) {
    return "line " + std::to_string(line) + ": there is no " + name +
           " in the lstm cell, and no equation that is compared uses it; there is " + near;
  };
  CHECK(refusal(right + "dWix = dzi[T].T @ x[T]") == expected(2, "dWix", "dWxi"));
  CHECK(refusal("dwxi = dzi[T].T @ x[T]\n" + right) == expected(1, "dwxi", "dWxi"));
  CHECK(refusal(right + "dcc[t] = dc[t]") == expected(2, "dcc", "dc[t], dc0"));
  CHECK_THAT(refusal("dWix = dzi[T].T @ x[T]"), Contains("no term to compare; line 1: there is no dWix"));
  // Nor by itself, by another that is not used, or by one of those.
  CHECK(refusal(right + "dWix[t] = dWix[t+1] + o[t]").starts_with("line 2: there is no dWix in"));
  CHECK(refusal(right + "u[t] = tanh(c[t])\nv[t] = u[t]\nw[t] = v[t]").starts_with("line 2: there is no u in"));
  // The name that was meant, beside it, does not make up for it.
  CHECK(refusal("dzzi[t] = dc[t]\ndWxi = sum_t(dzi[t].T @ x[t])").starts_with("line 1: there is no dzzi in"));
  // A helper of helpers is used, and so is a value whose derivative is.
  CHECK(audit_of("q[t] = h[t-1] @ Whn.T + bhn\n"
                 "dq[t] = dh[t] * (1 - z[t]) * (1 - n[t]**2) * r[t]\n"
                 "dWhn = sum_t(dq[t].T @ h[t-1])",
                 "gru")
            .agrees);
  CHECK(audit_of("w[t] = v[t]\nv[t] = tanh(c[t])\ndo[t] = dh[t] * w[t]").agrees);
}

TEST_CASE("what formulas in C++ ask for is used") {
  const Truth truth = stock_truth("lstm", {});
  Derivation hand{"lstm", {}};
  hand.add("u", [](const Moment& at) { return tanh(at.value("c")); });
  CHECK_THROWS_WITH(audit(hand, truth), Contains("no term to compare; there is no u in the lstm cell"));
  hand.add("do", [](const Moment& at) { return at.value("dh") * at.value("u"); });
  CHECK(audit(hand, truth).agrees);
  hand.add(
      "dWix", [](const Moment& at) { return at.value("Wxi"); }, false);
  CHECK_THROWS_WITH(audit(hand, truth), Contains("there is no dWix in the lstm cell"));
}

TEST_CASE("an equation that is compared at no step, or states no gradient, is refused") {
  CHECK(refusal("dx[0] = 1") == "line 1: dx[0] is compared with nothing: dx has steps 1 to 5");
  CHECK(refusal("dc[t+9] = 1\ndo[t] = dh[t] * tanh(c[t])") ==
        "line 1: dc[t+9] is compared with nothing: dc has steps 0 to 5");
  CHECK_THAT(refusal("o[t] = sigmoid(zo[t])"), Contains("no term to compare"));
  CHECK_THROWS_AS(audit_arrays({}, stock_truth("lstm", {})), ValueError);
  // Of a gate's derivative there is none at step 0, and an equation for dzo[t-1] is of the others.
  CHECK(audit_of("dzo[t-1] = dh[t-1] * tanh(c[t-1]) * o[t-1] * (1 - o[t-1])").not_given.back() == "dzo[5]");
}

TEST_CASE("numbers under another name are no derivation of themselves") {
  for (const char* text : {"dh0 = dh[0]", "dh0 = 1 * dh[0]", "q = dh[0]\ndh0 = q", "dh[0] = dh0", "dWi = [dWhi, dWxi]",
                           "dWxi = dWxi", "db = dbx", "dbi = dbxi", "dh[t] = dh[t]",
                           "dh[t] = direct_h[t] + dzi[t+1] @ Whi\ndh0 = dh[0]", "a = dWhi\ndWi = [a, dWxi]"}) {
    INFO(text);
    CHECK_THAT(refusal(text), Contains("these are defined by one another"));
  }
  // Where the parts are derived, the whole is what is made of them.
  CHECK(audit_of("dWhi = sum_t(dzi[t].T @ h[t-1])\ndWxi = sum_t(dzi[t].T @ x[t])\ndWi = [dWhi, dWxi]").agrees);
  CHECK(audit_of("dh[T] = direct_h[T]\n"
                 "dh[t-1] = dzi[t] @ Whi + dzf[t] @ Whf + dzg[t] @ Whg + dzo[t] @ Who\n"
                 "dh0 = dh[0]",
                 "lstm", 1)
            .terms.back()
            .agrees);
  // No such thing is proposed as a repair either.
  const Report report = audit_of("dh[t] = direct_h[t]");
  for (const std::string& cause : report.terms[0].causes) CHECK_THAT(cause, !Contains("= dh[t]"));
}

TEST_CASE("the report lists the gradients of the cell that are not given") {
  CHECK(audit_of("do[t] = dh[t] * tanh(c[t])").not_given == Names{"dWh", "dWx", "db", "dc0", "dh0", "dx[t]"});
  CHECK_THAT(audit_of("do[t] = dh[t] * tanh(c[t])").verdict, Contains("; not given: dWh, dWx, db, dc0, dh0, dx[t]"));
  CHECK(audit_of("dWxo = sum_t(dzo[t].T @ x[t])\ndbo = sum_t(sum_batch(dzo[t]))").not_given ==
        Names{"dWh", "dWxf", "dWxg", "dWxi", "dbf", "dbg", "dbi", "dc0", "dh0", "dx[t]"});
  CHECK(audit_of("dWo = sum_t(dzo[t].T @ [h[t-1], x[t]])\ndh[T] = direct_h[T]").not_given ==
        Names{"dWhf", "dWhg", "dWhi", "dWxf", "dWxg", "dWxi", "db", "dc0", "dh[1...4]", "dh0", "dx[t]"});
  for (const std::string& cell : stock_cells()) {
    INFO(cell);
    // Of h only the loss reads anything in the cell that is gated by its input alone.
    CHECK(audit(stock_derivation(cell), stock_truth(cell, {})).not_given ==
          (cell == "input_gated" ? Names{"dh0"} : Names{}));
  }
  const Truth truth = stock_truth("lstm", {});
  const Matrix db = truth.values.find("db")->whole();
  CHECK(audit_arrays({{"dbx", db}}, truth).not_given == Names{"dWh", "dWx", "dbh", "dc0", "dh0", "dx[t]"});
}
