{{ segql.segment_profile(ref('customer_features'), ref('kmeans_segments')) }}
