/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The functions of netlist expressions, with ngspice's values: see spiceprop/circuit/functions.py.
 * REAL is float or double. A logarithm, a root or an arc function outside its domain is a large number in ngspice.
 * INSIDE_NGSPICE keeps divisors away from 0 as ngspice does (gmin times 1e-20); elsewhere what is not finite is told. */
#include <math.h>

typedef REAL real;
#define R(number) ((real)(number))
#define IS_FLOAT (sizeof(real) == sizeof(float))
/* exp of more than this is 1e99 in ngspice; float ends at 1e38 */
#define EXP_LIMIT (IS_FLOAT ? R(80.0) : R(227.95592420641052))
#define HUGE_REAL (IS_FLOAT ? R(1e30) : R(1e300))

static inline real c_exp(real x) { return IS_FLOAT ? R(expf((float)x)) : R(exp(x)); }
static inline real larger(real x, real y) { return x > y ? x : y; }
static inline real smaller(real x, real y) { return x < y ? x : y; }
static inline real limited_exp(real x) { return c_exp(smaller(x, EXP_LIMIT)); }
static inline real logistic(real x) { return R(1.0) / (R(1.0) + c_exp(smaller(-x, EXP_LIMIT))); }
#ifdef INSIDE_NGSPICE
static inline real inverse_of(real x) { return R(1.0) / (x + (x >= R(0.0) ? R(1e-32) : R(-1e-32))); }
#else
static inline real inverse_of(real x) { return R(1.0) / x; }
#endif

static inline real power_1(real x) { return x; }
static inline real power_2(real x) { return x * x; }
static inline real power_3(real x) { return x * x * x; }
static inline real power_4(real x) { return power_2(power_2(x)); }
static inline real power_5(real x) { return power_4(x) * x; }
static inline real power_6(real x) { return power_3(power_2(x)); }
static inline real power_7(real x) { return power_6(x) * x; }
static inline real power_8(real x) { return power_2(power_4(x)); }

static inline real magnitude(real x) { return IS_FLOAT ? R(fabsf((float)x)) : R(fabs(x)); }
static inline real direction(real x) { return x > R(0.0) ? R(1.0) : x < R(0.0) ? R(-1.0) : R(0.0); }
static inline real unit_step(real x) { return x > R(0.0) ? R(1.0) : x < R(0.0) ? R(0.0) : R(0.5); }
static inline real whole_part(real x) { return IS_FLOAT ? R(floorf((float)x)) : R(floor(x)); }
static inline real truncated(real x) { return IS_FLOAT ? R(truncf((float)x)) : R(trunc(x)); }
static inline real nearest(real x) { return IS_FLOAT ? R(rintf((float)x)) : R(rint(x)); }
static inline real ramp(real x) { return x > R(0.0) ? x : R(0.0); }
static inline real unit_ramp(real x) { return smaller(ramp(x), R(1.0)); }
static inline real less(real x, real y) { return x < y ? R(1.0) : R(0.0); }
static inline real not_above(real x, real y) { return x <= y ? R(1.0) : R(0.0); }
static inline real equal(real x, real y) { return x == y ? R(1.0) : R(0.0); }
static inline real both(real x, real y) { return (x != R(0.0)) & (y != R(0.0)) ? R(1.0) : R(0.0); }
static inline real either(real x, real y) { return (x != R(0.0)) | (y != R(0.0)) ? R(1.0) : R(0.0); }
static inline real inverse(real x) { return x == R(0.0) ? R(1.0) : R(0.0); }
static inline real choose(real condition, real then, real otherwise) { return condition != R(0.0) ? then : otherwise; }

static inline real c_log(real x)
{
    const real inside = x > R(0.0) ? x : R(1.0);
    const real value = IS_FLOAT ? R(logf((float)inside)) : R(log(inside));
    return x > R(0.0) ? value : x < R(0.0) ? HUGE_REAL : -HUGE_REAL;
}
static inline real root(real x)
{
    const real inside = x >= R(0.0) ? x : R(0.0);
    const real value = IS_FLOAT ? R(sqrtf((float)inside)) : R(sqrt(inside));
    return x >= R(0.0) ? value : HUGE_REAL;
}
static inline real power(real x, real y) { return IS_FLOAT ? R(powf((float)x, (float)y)) : R(pow(x, y)); }
static inline real signed_power(real x, real y) { return (x < R(0.0) ? R(-1.0) : R(1.0)) * power(magnitude(x), y); }
static inline real power_log(real x, real y)
{
    const real inside = x == R(0.0) ? R(1.0) : x;
    return x == R(0.0) ? R(0.0) : power(inside, y) * c_log(inside);
}

static inline real c_sin(real x) { return IS_FLOAT ? R(sinf((float)x)) : R(sin(x)); }
static inline real c_cos(real x) { return IS_FLOAT ? R(cosf((float)x)) : R(cos(x)); }
static inline real c_tan(real x) { return IS_FLOAT ? R(tanf((float)x)) : R(tan(x)); }
static inline real c_sinh(real x) { return IS_FLOAT ? R(sinhf((float)x)) : R(sinh(x)); }
static inline real c_cosh(real x) { return IS_FLOAT ? R(coshf((float)x)) : R(cosh(x)); }
static inline real c_tanh(real x) { return IS_FLOAT ? R(tanhf((float)x)) : R(tanh(x)); }
static inline real c_asinh(real x) { return IS_FLOAT ? R(asinhf((float)x)) : R(asinh(x)); }
static inline real c_atan(real x) { return IS_FLOAT ? R(atanf((float)x)) : R(atan(x)); }
static inline real within_one(real x) { return larger(smaller(x, R(1.0)), R(-1.0)); }
static inline real c_asin(real x)
{
    const real value = IS_FLOAT ? R(asinf((float)within_one(x))) : R(asin(within_one(x)));
    return magnitude(x) <= R(1.0) ? value : HUGE_REAL;
}
static inline real c_acos(real x)
{
    const real value = IS_FLOAT ? R(acosf((float)within_one(x))) : R(acos(within_one(x)));
    return magnitude(x) <= R(1.0) ? value : HUGE_REAL;
}
static inline real c_acosh(real x)
{
    const real inside = larger(x, R(1.0));
    return IS_FLOAT ? R(acoshf((float)inside)) : R(acosh(inside));
}
static inline real c_atanh(real x)
{
    const real limit = IS_FLOAT ? R(0.9999999) : R(0.9999999999999999);
    const real inside = larger(smaller(x, limit), -limit);
    return IS_FLOAT ? R(atanhf((float)inside)) : R(atanh(inside));
}
