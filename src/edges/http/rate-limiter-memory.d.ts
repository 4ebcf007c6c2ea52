// The one file of rate-limiter-flexible that is used, with the type that the package declares for it. The whole of it
// would cost each start 12 ms for the stores of others.

declare module 'rate-limiter-flexible/lib/RateLimiterMemory.js' {
  const RateLimiterMemory: typeof import('rate-limiter-flexible').RateLimiterMemory;
  export default RateLimiterMemory;
}
