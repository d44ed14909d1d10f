// The instruction set that code is compiled for, in the names of all code that depends on it.
//
// The width of a lane follows from the compiler's flags, and with it what a kernel leaves in memory for its backward
// pass. A program may be compiled with other flags than the library: if both named such code alike, the linker would
// join half of one kernel to half of another. So it stands in an inline namespace, or takes detail::InstructionSet as a
// template argument. What the library compiles once for everybody (gemm, packed_product) has one name.
#pragma once

#if defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__)
#define WENGERT_INSTRUCTION_SET avx512bw
#elif defined(__AVX512F__)
#define WENGERT_INSTRUCTION_SET avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define WENGERT_INSTRUCTION_SET avx2_fma
#elif defined(__AVX2__)
#define WENGERT_INSTRUCTION_SET avx2
#elif defined(__AVX__)
#define WENGERT_INSTRUCTION_SET avx
#elif defined(__SSE4_2__)
#define WENGERT_INSTRUCTION_SET sse4_2
#elif defined(__SSE2__)
#define WENGERT_INSTRUCTION_SET sse2
#else
#define WENGERT_INSTRUCTION_SET other
#endif

#define WENGERT_QUOTE(name) #name
#define WENGERT_NAME_OF(name) WENGERT_QUOTE(name)

namespace autograd {

/// What the library's own kernels were compiled for: "avx512bw", "avx2_fma", "sse2", ... With WENGERT_PORTABLE it is
/// known when the program starts.
const char* instruction_set();

namespace detail {
inline namespace WENGERT_INSTRUCTION_SET {

/// What the code that includes this is compiled for.
struct InstructionSet {
  static constexpr const char* name = WENGERT_NAME_OF(WENGERT_INSTRUCTION_SET);
};

}  // namespace WENGERT_INSTRUCTION_SET
}  // namespace detail
}  // namespace autograd

#undef WENGERT_NAME_OF
#undef WENGERT_QUOTE
