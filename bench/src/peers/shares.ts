/** The shares of a fresh secret under a span program: λ = M·(s, v_2 … v_c), what every LSSS-based scheme begins with. */
import { order, randomScalar, type Scalar, type SpanProgram } from "@chartseal/crypto";

export function shares(program: SpanProgram): { secret: Scalar; lambda: Scalar[] } {
  const vector = Array.from({ length: program.columns }, () => randomScalar({ nonZero: true }));
  const lambda = program.rows.map((row) =>
    row.entries.reduce((sum, [column, value]) => (sum + value * vector[column]!) % order, 0n),
  );
  return { secret: vector[0]!, lambda };
}
