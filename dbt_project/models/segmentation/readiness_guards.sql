{{ segql.readiness_guards(ref('customer_features')) }}
