#include "autograd/values/instruction_set.hpp"

namespace autograd {

const char* instruction_set() { return detail::InstructionSet::name; }

}  // namespace autograd
