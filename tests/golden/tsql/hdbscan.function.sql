CREATE OR ALTER FUNCTION [hdbscan_segment](@a FLOAT, @b FLOAT, @c FLOAT, @d FLOAT)
RETURNS INT WITH SCHEMABINDING AS
BEGIN
DECLARE @_sq_u0 FLOAT = CASE WHEN ABS(CAST(@a AS FLOAT)) <= 1e+100 THEN CAST(@a AS FLOAT) ELSE 10.44e0 END - 10.47e0;
DECLARE @_sq_u1 FLOAT = CASE WHEN ABS(CAST(@b AS FLOAT)) <= 1e+100 THEN CAST(@b AS FLOAT) ELSE 5.446e0 END - 5.478e0;
DECLARE @_sq_u2 FLOAT = CASE WHEN ABS(CAST(@c AS FLOAT)) <= 1e+100 THEN CAST(@c AS FLOAT) ELSE 1.176e0 END - 1.156e0;
DECLARE @_sq_u3 FLOAT = CASE WHEN ABS(CAST(@d AS FLOAT)) <= 1e+100 THEN CAST(@d AS FLOAT) ELSE 0.4785e0 END - 0.4764e0;
DECLARE @_sq_m0 FLOAT = @_sq_u0 * 0.300615e0 + @_sq_u1 * 0.5992700000000001e0 + @_sq_u2 * 2.998656e0 + @_sq_u3 * 7.9818299999999995e0 + 5.786760310000001e0;
DECLARE @_sq_m1 FLOAT = @_sq_u0 * 0.30110580000000003e0 + @_sq_u1 * 0.59976e0 + @_sq_u2 * 2.911104e0 + @_sq_u3 * (-10.46642e0) + 6.751882440000001e0;
DECLARE @_sq_m2 FLOAT = @_sq_u0 * 0.009479801999999999e0 + @_sq_u1 * 0.0148127e0 + @_sq_u2 * (-0.19195776e0) + @_sq_u3 * 2.1413510000000002e0 + 0.06344047470000001e0;
DECLARE @_sq_m3 FLOAT = @_sq_u0 * (-0.0019978014e0) + @_sq_u1 * (-0.00465941e0) + @_sq_u2 * (-0.07252224e0) + @_sq_u3 * (-1.004668e0) + -0.040133470638000004e0;
DECLARE @_sq_m4 FLOAT = @_sq_u0 * (-0.2966886e0) + @_sq_u1 * (-0.59192e0) + @_sq_u2 * (-3.31968e0) + @_sq_u3 * (-10.784609999999999e0) + 7.303539959999999e0;
DECLARE @_sq_m5 FLOAT = @_sq_u0 * (-0.2966886e0) + @_sq_u1 * (-0.61054e0) + @_sq_u2 * (-2.6800640000000002e0) + @_sq_u3 * (-10.51381e0) + 6.6162297500000005e0;
DECLARE @_sq_p0 FLOAT = @_sq_u0 * 0.1227e0;
DECLARE @_sq_p1 FLOAT = @_sq_u1 * 0.245e0;
DECLARE @_sq_p2 FLOAT = @_sq_u2 * 1.216e0;
DECLARE @_sq_p3 FLOAT = @_sq_u3 * 3.385e0;
DECLARE @_sq_g1 FLOAT = LEAST(@_sq_m0, @_sq_m1);
DECLARE @_sq_g2 FLOAT = LEAST(@_sq_m2, @_sq_m3);
DECLARE @_sq_g3 FLOAT = LEAST(@_sq_m4, @_sq_m5);
DECLARE @_sq_low FLOAT = LEAST(@_sq_g1, @_sq_g2, @_sq_g3);
RETURN CASE WHEN @_sq_low + @_sq_p0 * @_sq_p0 + @_sq_p1 * @_sq_p1 + @_sq_p2 * @_sq_p2 + @_sq_p3 * @_sq_p3 > 0.0e0 THEN 0 WHEN @_sq_g1 = @_sq_low THEN 1 WHEN @_sq_g2 = @_sq_low THEN 2 WHEN @_sq_g3 = @_sq_low THEN 3 END;
END
